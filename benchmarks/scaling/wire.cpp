// A network between hosts that are network namespaces of this machine, with a rate and a delay, for kernels
// without tc's netem: reads the packets of each host's tun device, waits, and writes them to the receiver's.
//   wire MBIT_A_SECOND DELAY_US NAMESPACE...
// Host i is 10.77.0.i, from 1 on. Every host has a link of that rate in each direction; a packet takes the
// delay once. Runs until it is killed; the devices go with it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <queue>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

// Large packets, so that the copies cost little beside the rate.
constexpr int mtu = 65000;

int checked(int result, const std::string& what) {
  if (result < 0) throw std::runtime_error(what + ": " + std::strerror(errno));
  return result;
}

// A tun device in the namespace that this process is in.
int open_device(std::size_t number) {
  const int device = checked(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun");
  ifreq request{};
  std::strcpy(request.ifr_name, "wire0");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  checked(::ioctl(device, TUNSETIFF, &request), "TUNSETIFF");
  const int socket = checked(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  const auto set = [&](unsigned long call, const char* what) {
    checked(::ioctl(socket, call, &request), what);
  };
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0x0A4D0000u + static_cast<unsigned>(number));
  std::memcpy(&request.ifr_addr, &address, sizeof address);
  set(SIOCSIFADDR, "SIOCSIFADDR");
  address.sin_addr.s_addr = htonl(0xFFFFFF00u);
  std::memcpy(&request.ifr_netmask, &address, sizeof address);
  set(SIOCSIFNETMASK, "SIOCSIFNETMASK");
  request.ifr_mtu = mtu;
  set(SIOCSIFMTU, "SIOCSIFMTU");
  for (const char* const name : {"wire0", "lo"}) {
    std::strcpy(request.ifr_name, name);
    set(SIOCGIFFLAGS, "SIOCGIFFLAGS");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    set(SIOCSIFFLAGS, "SIOCSIFFLAGS");
  }
  ::close(socket);
  return device;
}

struct Packet {
  Clock::time_point due;
  std::size_t order, receiver;
  std::vector<char> bytes;
};
struct Later {
  bool operator()(const Packet& a, const Packet& b) const {
    return a.due != b.due ? a.due > b.due : a.order > b.order;
  }
};

void run(double bits_per_nanosecond, nanoseconds delay, const std::vector<std::string>& names) {
  // Timers to the microsecond, and before whoever computes.
  ::prctl(PR_SET_TIMERSLACK, 1);
  sched_param priority{.sched_priority = 1};
  ::sched_setscheduler(0, SCHED_FIFO, &priority);
  std::vector<pollfd> devices;
  for (const std::string& name : names) {
    const int there = checked(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC), name);
    checked(::setns(there, CLONE_NEWNET), "setns");
    ::close(there);
    devices.push_back({open_device(devices.size() + 1), POLLIN, 0});
  }
  std::printf("ready\n");
  std::fflush(stdout);
  // When each host's links are free again.
  std::vector<Clock::time_point> sends(devices.size()), receives(devices.size());
  std::priority_queue<Packet, std::vector<Packet>, Later> waiting;
  std::vector<char> bytes(mtu + 64);
  for (std::size_t order = 0;;) {
    timespec wait{.tv_sec = 3600, .tv_nsec = 0};
    const Clock::time_point before = Clock::now();
    if (!waiting.empty()) {
      const auto left = std::max(nanoseconds(0), nanoseconds(waiting.top().due - before)).count();
      wait = {left / 1'000'000'000, left % 1'000'000'000};
    }
    // A sender whose link is busy for long is not listened to: its queue fills, and it sends less.
    for (std::size_t host = 0; host < devices.size(); ++host)
      devices[host].events = sends[host] - before > std::chrono::milliseconds(1) ? 0 : POLLIN;
    checked(::ppoll(devices.data(), devices.size(), &wait, nullptr), "ppoll");
    for (std::size_t host = 0; host < devices.size(); ++host) {
      if (!(devices[host].revents & POLLIN)) continue;
      const ssize_t size = ::read(devices[host].fd, bytes.data(), bytes.size());
      // IPv4, to one of the hosts.
      if (size < 20 || bytes[0] >> 4 != 4) continue;
      const std::size_t receiver = static_cast<unsigned char>(bytes[19]) - std::size_t{1};
      if (receiver >= devices.size()) continue;
      const auto on_the_wire =
          nanoseconds(static_cast<long>(static_cast<double>(8 * size) / bits_per_nanosecond));
      const auto begin = std::max({Clock::now(), sends[host], receives[receiver]});
      sends[host] = receives[receiver] = begin + on_the_wire;
      waiting.push({begin + on_the_wire + delay, order++, receiver, {bytes.data(), bytes.data() + size}});
    }
    while (!waiting.empty() && waiting.top().due <= Clock::now()) {
      const Packet& packet = waiting.top();
      if (::write(devices[packet.receiver].fd, packet.bytes.data(), packet.bytes.size()) < 0)
        std::fprintf(stderr, "wire: a packet is lost: %s\n", std::strerror(errno));
      waiting.pop();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: wire MBIT_A_SECOND DELAY_US NAMESPACE...\n");
    return 2;
  }
  try {
    run(std::atof(argv[1]) / 1000, nanoseconds(static_cast<long>(1000 * std::atof(argv[2]))),
        {argv + 3, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "wire: %s\n", error.what());
    return 1;
  }
}
