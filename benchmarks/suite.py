#!/usr/bin/env python3
"""Runs digitnet and its peers in turns and prints one table of medians, spreads and ratios.

  suite.py BUILD [--passes N] [--only TEXT] [--processor avx2] [--json FILE] [--markdown FILE] [--picture FILE]
           [--openblas FOLDER] [--node FOLDER] [--add FILE]

BUILD is the folder with the programs, BUILD-clang that with those which clang++ made, where there are any. Each pass
measures every row once with every contender, one directly after the other, so that whatever else the machine does
meets all of them; a figure is the median of the passes. Every program is a Google Benchmark with the same names, or
prints its JSON (onnxruntime.mjs).
"""
import argparse
import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("build")
parser.add_argument("--passes", type=int, default=2)
parser.add_argument("--only", action="append", help="rows whose title contains this; may be repeated")
parser.add_argument("--processor", choices=["avx2"], help="everybody takes no better instructions than these")
parser.add_argument("--add", action="append", default=[], help="a file of --json of the same machine: its passes count, too")
parser.add_argument("--markdown", help="writes the tables, too")
parser.add_argument("--json", help="writes every figure of every pass")
parser.add_argument("--picture", help="a chart of the ratios, SVG or PNG (gnuplot)")
parser.add_argument("--openblas", default="", help="folder with OpenBLAS' OpenMP build, for libtorch")
parser.add_argument("--node", default="", help="folder with node_modules/onnxruntime-node")
options = parser.parse_args()

here = os.path.dirname(os.path.abspath(__file__))
programs = {
    "digitnet": [f"{options.build}/benchmarks/benchmark_networks"],
    "digitnet kernels": [f"{options.build}/benchmarks/benchmark_kernels"],
    "by g++": [f"{options.build}/benchmarks/benchmark_networks"],
    "by clang++": [f"{options.build}-clang/benchmarks/benchmark_networks"],
    "digitnet loading": [f"{options.build}/benchmarks/benchmark_loading"],
    "oneDNN kernels": [f"{options.build}/benchmarks/peers/peer_onednn_kernels"],
    "oneDNN": [f"{options.build}/benchmarks/peers/peer_onednn"],
    "libtorch": [f"{options.build}/benchmarks/peers/peer_libtorch"],
    "dlib": [f"{options.build}/benchmarks/peers/peer_dlib"],
    "XNNPACK": [f"{options.build}/benchmarks/peers/peer_xnnpack"],
    "onnxruntime": ["node", f"{here}/peers/onnxruntime.mjs", options.node],
}


def program(contender, name):
    """The command of a contender for a benchmark of this name."""
    what, network = name.split("/")[:2]
    command = list(programs[contender])
    if contender == "digitnet" and what == "int8":
        command = [f"{options.build}/benchmarks/benchmark_int8"]
    if contender == "oneDNN" and (what == "int8" or what == "infer" and network in "DEFG"):
        command[0] += "_inference"
    if contender == "digitnet" and options.processor:
        command[0] += f"_{options.processor}"
    if contender == "onnxruntime":
        command += [name, f"{options.build}/models"]
    return command


def available(contender, name):
    if options.processor and contender in ("onnxruntime", "XNNPACK", "dlib"):
        # They have no option that holds them back from some instructions.
        return False
    if contender == "onnxruntime":
        return bool(options.node) and os.path.isdir(f"{options.node}/node_modules/onnxruntime-node")
    return os.path.exists(program(contender, name)[0])


class Row:
    """One line of the table: a benchmark, its contenders (ours first), and the unit of the figure."""

    def __init__(self, title, name, unit, peers, ours="digitnet", min_time=0.5, busy=False):
        self.title, self.name, self.unit, self.busy, self.min_time = title, name, unit, busy, min_time
        self.contenders = [ours] + [peer for peer in peers if available(peer, name)]
        self.figures = {contender: [] for contender in self.contenders}
        self.other = {contender: [] for contender in self.contenders}

    @property
    def smaller_is_better(self):
        return self.unit in ("p50 us", "ms")

    def known(self, contender):
        """The figures of the passes that did not fail."""
        return [figure for figure in self.figures[contender] if figure is not None]

    def ratio(self, peer):
        """How many times as fast as a peer: the median over the passes in which both were measured; None without any."""
        ratios = [b / a if self.smaller_is_better else a / b
                  for a, b in zip(self.figures[self.contenders[0]], self.figures[peer]) if a is not None and b is not None]
        return statistics.median(ratios) if ratios else None


NAMES = {"D": "ResNet-20", "E": "MobileNet", "F": "the wide ResNet", "G": "MobileNet at 96x96x3"}


def network_rows():
    yield Row("train C, batch 128", "train/C/128/2", "images/s", ["oneDNN", "libtorch", "dlib"])
    for network, batch in (("C", 32), ("C", 8), ("B", 128), ("A", 32)):
        yield Row(f"train {network}, batch {batch}", f"train/{network}/{batch}/2", "images/s", ["oneDNN", "libtorch"])
    for network, title in NAMES.items():
        yield Row(f"train {title}, batch 128", f"train/{network}/128/2", "images/s", ["libtorch"])
    for network in "CBA":
        yield Row(f"infer {network}, batch 256", f"infer/{network}/256/2", "images/s",
                  ["oneDNN", "libtorch", "onnxruntime", "XNNPACK"])
    for network, title in NAMES.items():
        yield Row(f"infer {title}, batch 256", f"infer/{network}/256/2", "images/s", ["oneDNN", "onnxruntime", "XNNPACK"])
    for network in "CDE":
        yield Row(f"infer {NAMES.get(network, network)} in int8, batch 256", f"int8/{network}/256/2", "images/s",
                  ["oneDNN", "onnxruntime"])
    for network in "ABC":
        yield Row(f"one image, {network}, one thread", f"latency/{network}/1/1", "p50 us",
                  ["oneDNN", "dlib", "onnxruntime", "XNNPACK"])
    if options.processor:
        return
    for network in "ABE":
        yield Row(f"train {NAMES.get(network, network)} in bfloat16, batch 128", f"train/{network.lower()}/128/2", "images/s",
                  ["oneDNN"] if network in "AB" else [])
    for network in "AB":
        yield Row(f"infer {network} in bfloat16, batch 256", f"infer/{network.lower()}/256/2", "images/s", ["oneDNN"])
        yield Row(f"one image, {network} in bfloat16, one thread", f"latency/{network.lower()}/1/1", "p50 us", ["oneDNN"])
    for network in "CDE":
        yield Row(f"train {NAMES.get(network, network)}, batch 128, compiled", f"train/{network}/128/2", "images/s",
                  ["by g++"], ours="by clang++")
    yield Row("load MNIST (gzip, 70,000 images)", "load_mnist/real_time", "ms", [], ours="digitnet loading")
    yield Row("train C, batch 128, one thread", "train/C/128/1", "images/s", ["oneDNN"])
    yield Row("train C, batch 128, one core kept busy", "train/C/128/2", "images/s", ["oneDNN"], busy=True)


def kernel_rows():
    if options.processor:
        return
    yield Row("sgemm 1536, one thread", "sgemm/1536", "FLOP/s", [], ours="digitnet kernels")
    shapes = [f"{side}x{side}x{channels}" for channels in (16, 32, 64) for side in (28, 14, 7)]
    for what in ("forward", "weights", "input"):
        for shape in shapes:
            yield Row(f"conv 3x3 same {what} {shape}", f"convolution/{what}/{shape}", "FLOP/s", ["oneDNN kernels"],
                      ours="digitnet kernels", min_time=0.1)
    for what in ("forward", "weights", "input"):
        for shape in ("28x28x32", "14x14x64", "7x7x128"):
            yield Row(f"depthwise 3x3 {what} {shape}", f"depthwise/{what}/{shape}", "FLOP/s", ["oneDNN kernels"],
                      ours="digitnet kernels", min_time=0.1)


@contextlib.contextmanager
def busy_core(wanted):
    """Another process that keeps one core busy."""
    if not wanted:
        yield
        return
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    with contextlib.suppress(OSError):
        os.sched_setaffinity(other.pid, {max(os.sched_getaffinity(0))})
    time.sleep(0.2)
    try:
        yield
    finally:
        other.kill()
        other.wait()


def measure(row, contender):
    name = row.name
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    threads = name.rsplit("/", 1)[1]
    if options.processor == "avx2":
        environment.update(DIGITNET_ARCH="avx2", ONEDNN_MAX_CPU_ISA="AVX2", DNNL_MAX_CPU_ISA="AVX2",
                           ATEN_CPU_CAPABILITY="avx2", OPENBLAS_CORETYPE="Haswell")
    if contender in ("oneDNN", "libtorch", "dlib"):
        environment.update(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads)
    if contender.endswith("kernels"):
        environment.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    if contender == "libtorch" and options.openblas:
        environment["LD_LIBRARY_PATH"] = options.openblas
    command = program(contender, name)
    if contender != "onnxruntime":
        command += [f"--benchmark_filter=^{name}(/|$)", "--benchmark_format=json", f"--benchmark_min_time={row.min_time}"]
    with busy_core(row.busy):
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    try:
        result = json.loads(run.stdout)["benchmarks"][0]
        value = float(result["real_time" if row.unit == "ms" else row.unit])
        if value > 0:
            return value, result
        print(f"{contender}: {name} gave {value}: {result}", file=sys.stderr)
    except (json.JSONDecodeError, KeyError, IndexError):
        print(f"{contender}: {name} failed: {run.stderr.strip()[-300:]}", file=sys.stderr)
    return None, {}


def number(value, unit):
    if unit == "FLOP/s":
        return f"{value / 1e9:.1f} G"
    if value < 1000:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}"


def overview(rows):
    """A line for each row and a column for each contender: medians, the best in bold type."""
    rows = [row for row in rows if row.title.startswith(("train", "infer", "one image")) and row.contenders[0] == "digitnet"
            and row.known("digitnet")]
    contenders = [c for c in ("digitnet", "oneDNN", "libtorch", "dlib", "onnxruntime", "XNNPACK")
                  if any(c in row.contenders for row in rows)]
    lines = ["| what | " + " | ".join(contenders) + " | the best peer takes |", "|---" * (len(contenders) + 2) + "|"]
    for row in rows:
        figures = {c: statistics.median(row.known(c)) for c in row.contenders if row.known(c)}
        best = (min if row.smaller_is_better else max)(figures.values())
        ratios = [row.ratio(c) for c in row.contenders[1:] if row.ratio(c) is not None]
        cells = [number(figures[c], row.unit) if c in figures else "" for c in contenders]
        cells = [f"**{cell}**" if c in figures and figures[c] == best else cell for c, cell in zip(contenders, cells)]
        unit = "" if row.unit == "images/s" else ", median µs"
        lines.append(f"| {row.title}{unit} | " + " | ".join(cells) + f" | {f'{min(ratios):.2f} times as long' if ratios else ''} |")
    return "\n".join(lines)


def table(rows):
    lines = ["| what | unit | contender | median | lowest - highest | digitnet is | other |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        for contender in row.contenders:
            figures, ratio = row.known(contender), row.ratio(contender)
            if ratio is None:
                continue
            ratio = "" if contender == row.contenders[0] else f"{ratio:.2f} x as fast"
            other = ""
            extra = [x for x in row.other[contender] if x]
            if row.unit == "p50 us" and extra:
                other = ", ".join(f"{key[:-3]} {statistics.median(x[key] for x in extra):.3g}"
                                  for key in ("p99 us", "p99.9 us", "first us") if key in extra[0]) + " us"
            elif row.unit == "FLOP/s" and peak():
                other = f"{100 * statistics.median(figures) / peak():.0f} % of sgemm"
            elif row.name.startswith("train") and extra and "peak MiB" in extra[0]:
                other = f"{statistics.median(x['peak MiB'] for x in extra):.0f} MiB at most"
            lines.append(f"| {row.title} | {row.unit} | {contender} | "
                         f"{number(statistics.median(figures), row.unit)} | {number(min(figures), row.unit)} - "
                         f"{number(max(figures), row.unit)} | {ratio} | {other} |")
    return "\n".join(lines)


def peak():
    for row in all_rows:
        if row.name.startswith("sgemm") and row.known(row.contenders[0]):
            return statistics.median(row.known(row.contenders[0]))
    return None


def once():
    """Figures that need no turns: compiling, and the size of the program."""
    source = os.path.join(here, "..", "examples", "mnist_cnn.cpp")
    include = os.path.join(here, "..", "include")
    flags = ["g++", "-std=c++20", "-I" + include, "-I" + os.path.join(here, "..", "examples"), "-w"]
    result = {}

    def seconds(key, command, **keywords):
        times = []
        for _ in range(3):
            begin = time.monotonic()
            subprocess.run(command, check=True, **keywords)
            times.append(time.monotonic() - begin)
        result[key] = statistics.median(times)

    scratch = os.path.join(options.build, "compile_time.o")
    seconds("compiling #include <digitnet/digitnet.hpp>, s", flags + ["-c", "-x", "c++", "-", "-o", scratch],
            input=b"#include <digitnet/digitnet.hpp>\n")
    seconds("compiling examples/mnist_cnn.cpp at -O3 -march=native, s",
            flags + ["-O3", "-march=native", "-c", source, "-o", scratch])
    program = scratch + ".out"
    linked = subprocess.run(flags + ["-O3", "-march=native", "-x", "none", scratch, "-x", "c++",
                                     os.path.join(here, "..", "examples", "support", "program.cpp"), "-o", program, "-s",
                                     "-lopenblas", "-lz", "-lpthread"], check=False, capture_output=True)
    if linked.returncode == 0:
        result["its program, stripped, MiB"] = os.path.getsize(program) / 2**20
        os.remove(program)
    os.remove(scratch)
    return result


def picture(rows, path):
    """Bars: how many times as fast as each peer."""
    data, labels = [], []
    for row in rows:
        if row.name.split("/")[0] not in ("train", "infer", "int8", "latency") or row.busy or row.contenders[0] == "by clang++" or row.title.endswith("one thread") \
                and row.name.startswith("train"):
            continue
        for peer in row.contenders[1:]:
            ratio = row.ratio(peer)
            if ratio is not None:
                data.append((peer, ratio))
                labels.append(f"{row.title} / {peer}")
    colours = {"oneDNN": "0x3b6ea5", "libtorch": "0xd9822b", "dlib": "0x5a9a5a", "onnxruntime": "0x8a6bab",
               "XNNPACK": "0xb5535b"}
    kind = "svg size 900,{0} font 'sans,13'" if path.endswith(".svg") else "pngcairo size 900,{0} font 'sans,11'"
    n = len(data)
    script = [f"set terminal {kind.format(110 + 22 * n)} background 'white'", f"set output '{path}'", "unset key",
              f"set yrange [{n - 0.4}:-0.6]", "set xrange [0.25:*]", "set logscale x 2", "set grid x", "set lmargin 46",
              'set title "digitnet against its peers: times as fast\\n(logarithmic; 2 threads, one image: 1)\\n' +
              processor().replace('"', "") + '"',
              "set ytics (" + ", ".join(f"'{label}' {i}" for i, label in enumerate(labels)) + ")", "set ytics nomirror scale 0",
              "set arrow 1 from 1,graph 0 to 1,graph 1 nohead lw 2 lc rgb 'black' front",
              "set style fill solid 0.9 noborder"]
    for i, (peer, ratio) in enumerate(data):
        script.append(f"set object {i + 1} rectangle from {min(1, ratio)},{i - 0.35} to {max(1, ratio)},{i + 0.35} "
                      f"fc rgb {colours[peer]} fs solid 0.9 noborder")
        script.append(f"set label {i + 1} '{ratio:.2f}' at {max(1, ratio)},{i} offset 0.5,0 left front")
    script.append("plot 1/0")
    script[script.index("set xrange [0.25:*]")] = f"set xrange [0.25:{2 * max(ratio for _, ratio in data)}]"
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True, stderr=subprocess.DEVNULL)


def processor():
    """Its name, which of many, and what else than AVX2 it has."""
    facts = {}
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    extras = [title for flag, title in (("avx512f", "AVX-512"), ("avx512_vnni", "VNNI"), ("avx512_bf16", "BF16"),
                                        ("amx_tile", "AMX"), ("avx_vnni", "AVX-VNNI")) if flag in facts.get("flags", "").split()]
    name = facts.get("model name", platform.processor())
    return f"{name} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}; {', '.join(extras) or 'AVX2'})"


all_rows = [row for row in [*kernel_rows(), *network_rows()]
            if not options.only or any(text in row.title for text in options.only) or row.name.startswith("sgemm")]
all_rows = [row for row in all_rows if available(row.contenders[0], row.name)]
exporter = f"{options.build}/benchmarks/benchmark_export"
if os.path.exists(exporter):
    os.makedirs(f"{options.build}/models", exist_ok=True)
    subprocess.run([exporter, f"{options.build}/models"], check=True)
earlier = {}
for path in options.add:
    with open(path, encoding="utf-8") as file:
        for row in json.load(file)["rows"]:
            for contender, figures in row["figures"].items():
                earlier.setdefault((row["title"], contender), []).extend(figures)
for row in all_rows:
    for contender in row.contenders:
        row.figures[contender] += earlier.get((row.title, contender), [])
for number_of_pass in range(options.passes):
    for row in all_rows:
        print(f"pass {number_of_pass + 1} of {options.passes}: {row.title}          ", end="\r", file=sys.stderr)
        for contender in row.contenders:
            value, everything = measure(row, contender)
            row.figures[contender].append(value)
            row.other[contender].append(everything)
compiling = {} if options.only or options.processor or not options.passes else once()

if options.json:
    with open(options.json + ".part", "w", encoding="utf-8") as file:
        json.dump({"processor": processor(), "cores": os.cpu_count(), "instructions": options.processor or "all",
                   "date": str(datetime.date.today()), "compiling": compiling,
                   "rows": [{"title": row.title, "unit": row.unit, "figures": row.figures} for row in all_rows]}, file, indent=1)
    os.replace(options.json + ".part", options.json)
passes = max(len(row.figures[row.contenders[0]]) for row in all_rows)
text = [f"{processor()}, {os.cpu_count()} cores, {platform.platform()}, {datetime.date.today()}; medians of {passes} passes, "
        f"two threads{'; everybody held to AVX2' if options.processor else ''}", "", overview(all_rows), "", table(all_rows)]
text += [f"{key}: {value:.3g}" for key, value in compiling.items()]
print("\n".join(text))
if options.markdown:
    with open(options.markdown, "w", encoding="utf-8") as file:
        file.write("\n".join(text) + "\n")
if options.picture and not options.processor and any(row.name.startswith(("train", "infer", "latency")) for row in all_rows):
    picture(all_rows, options.picture)
