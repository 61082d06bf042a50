#!/usr/bin/env python3
"""Measures benchmark_scaling on hosts that are network namespaces of this machine, with a rate and a delay, and
compares with a model of the cost, which it then asks for up to 1,024 hosts. As root; needs OpenMPI and iproute2.

    network.py FOLDER_OF_PROGRAMS [--hosts 2] [--batch 256] [--steps 100]

The delay is tc's netem where the kernel has it; else the program `wire` carries the packets.
"""
import argparse, json, math, os, subprocess, sys, tempfile, time

NETWORKS = [(10_000, 50), (1_000, 200)]  # Mbit/s, microseconds
AGENT = '#!/bin/sh\nhost=$1; shift\nexec ip netns exec "digitnet-${host##*.}" sh -c "$*"\n'


def call(*command, check=True, **options):
    return subprocess.run(command, check=check, text=True, **options)


class Hosts:
    """Namespaces digitnet-1, ..., host i being 10.77.0.i, gone with this."""

    def __init__(self, folder, count, mbit, delay):
        self.names = [f"digitnet-{i + 1}" for i in range(count)]
        for name in self.names:
            call("ip", "netns", "delete", name, check=False, stderr=subprocess.DEVNULL)
            call("ip", "netns", "add", name)
        self.wire = None
        if not self.netem(mbit, delay):
            self.wire = subprocess.Popen([f"{folder}/wire", str(mbit), str(delay), *self.names], stdout=subprocess.PIPE,
                                         text=True)
            if self.wire.stdout.readline().strip() != "ready":
                sys.exit("the hosts have no network: wire did not start")
        self.agent = tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False)
        self.agent.write(AGENT)
        self.agent.close()
        os.chmod(self.agent.name, 0o700)

    def netem(self, mbit, delay):
        """A bridge and a pair of devices for each host; False where the kernel has no netem."""
        call("ip", "link", "delete", "digitnet-bridge", check=False, stderr=subprocess.DEVNULL)
        call("ip", "link", "add", "digitnet-bridge", "type", "bridge")
        for i, name in enumerate(self.names):
            call("ip", "link", "add", f"digitnet-{i + 1}a", "type", "veth", "peer", "name", "wire0", "netns", name)
            call("ip", "link", "set", f"digitnet-{i + 1}a", "master", "digitnet-bridge", "up")
            inside = ("ip", "netns", "exec", name)
            call(*inside, "ip", "address", "add", f"10.77.0.{i + 1}/24", "dev", "wire0")
            call(*inside, "ip", "link", "set", "wire0", "up")
            call(*inside, "ip", "link", "set", "lo", "up")
            shaped = call(*inside, "tc", "qdisc", "add", "dev", "wire0", "root", "netem", "rate", f"{mbit}mbit", "delay",
                          f"{delay}us", "limit", "100000", check=False, stderr=subprocess.DEVNULL)
            if shaped.returncode != 0:
                call("ip", "link", "delete", "digitnet-bridge")
                call(*inside, "ip", "link", "delete", "wire0")
                return False
        call("ip", "link", "set", "digitnet-bridge", "up")
        return True

    def run(self, ranks, command):
        """On so many hosts, a rank on each, and for each a core."""
        hosts = ",".join(f"10.77.0.{i + 1}:1" for i in range(ranks))
        cores = os.cpu_count()
        pinned = f"exec taskset -c $((OMPI_COMM_WORLD_RANK % {cores})) {command}"
        mpi = ["mpirun", "--allow-run-as-root", "-n", str(ranks), "--host", hosts, "--bind-to", "none",
               "--mca", "plm_rsh_agent", self.agent.name, "--mca", "btl", "tcp,self",
               "--mca", "btl_tcp_if_include", "wire0", "--mca", "oob_tcp_if_include", "wire0", "sh", "-c", pinned]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        out = call("ip", "netns", "exec", self.names[0], *mpi, stdout=subprocess.PIPE, env=environment, timeout=600).stdout
        return json.loads(next(line for line in out.splitlines() if line.startswith("{")))

    def close(self):
        if self.wire:
            self.wire.kill()
            self.wire.wait()
        os.unlink(self.agent.name)
        for name in self.names:
            call("ip", "netns", "delete", name, check=False)
        call("ip", "link", "delete", "digitnet-bridge", check=False, stderr=subprocess.DEVNULL)


def predicted_ms(alone, traffic, ranks, latency_us, bytes_per_us):
    """A step of `ranks` hosts: what one computes, and the messages one after the other. A broadcast takes the latency
    log2(ranks) times, a gather ranks - 1 times (a ring), an exchange once; bytes leave a host one after the other."""
    rounds = math.ceil(math.log2(ranks))
    hops = traffic["broadcasts"] * rounds + traffic["gathers"] * (ranks - 1) + traffic["exchanges"]
    sent = traffic["broadcast_bytes"] * rounds + traffic["gather_bytes"] * (ranks - 1) + traffic["exchange_bytes"]
    return alone + (hops * latency_us + sent / bytes_per_us) / 1e3


def scaled(traffic, measured_ranks, ranks):
    """The traffic of another number of hosts: a host sends its shards' gradients of what others own, and of the
    parameters what it owns."""
    part = (1 - 1 / ranks) / (1 - 1 / measured_ranks)
    return {**traffic, "exchange_bytes": traffic["exchange_bytes"] * part,
            "gather_bytes": traffic["gather_bytes"] * measured_ranks / ranks,
            "broadcast_bytes": traffic["broadcast_bytes"] * ranks / measured_ranks}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256, help="images of a host")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--passes", type=int, default=5)
    options = parser.parse_args()
    if not 2 <= options.hosts <= os.cpu_count():
        sys.exit(f"{options.hosts} hosts were asked for, but each needs a core of its own, and there are {os.cpu_count()}")
    command = f"{os.path.abspath(options.folder)}/benchmark_scaling --batch {options.batch} --steps {options.steps} " \
              f"--passes {options.passes}"
    print("| network | hosts | step alone, ms | step, ms | times as fast | communication | predicted, ms | off by |")
    print("|---|---|---|---|---|---|---|---|")
    for mbit, delay in NETWORKS:
        hosts = Hosts(options.folder, options.hosts, mbit, delay)
        try:
            alone = hosts.run(1, command)
            found = hosts.run(options.hosts, command)
            again = hosts.run(1, command)
        finally:
            hosts.close()
        # The mean of before and after: other programs come and go.
        one = (alone["step_ms"] + again["step_ms"]) / 2
        # As programs see them: the delay of the network and of what carries it, and a mebibyte each way at once.
        latency = found["small_exchange_us"]
        bandwidth = (1 << 20) / max(1, found["mebibyte_exchange_us"] - latency)
        predicted = predicted_ms(one, found, options.hosts, latency, bandwidth)
        step = found["step_ms"]
        print(f"| {mbit / 1000:g} Gbit/s, {delay} us | {options.hosts} | {one:.2f} | {step:.2f} | "
              f"{options.hosts * one / step:.2f} | {100 * found['communication_ms'] / step:.0f} % | {predicted:.2f} | "
              f"{100 * (predicted / step - 1):+.0f} % |")
        print(f"<!-- latency {latency:.0f} us, {bandwidth / 125:.2f} Gbit/s; messages of a step alone: "
              f"{found['replayed_ms']:.3f} ms; one all-reduce a tensor: {found['all_reduce_ms']:.3f} ms; "
              f"{json.dumps(found)} -->")
        efficiencies = []
        for ranks in (2, 4, 8, 16, 64, 256, 1024):
            traffic = scaled(found, options.hosts, ranks)
            efficiencies.append(f"{ranks}: {100 * one / predicted_ms(one, traffic, ranks, latency, bandwidth):.0f} %")
        print(f"<!-- predicted efficiency, the same images a host: {', '.join(efficiencies)} -->")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
