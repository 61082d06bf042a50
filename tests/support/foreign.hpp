// What others wrote and nearly every test reads, precompiled; nothing of digitnet's stands here.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <complex>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>
#include <xsimd/xsimd.hpp>
#if __has_include(<xtensor/xtensor.hpp>)
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#endif
#include <xflens/cxxblas/drivers/cblas.h>
