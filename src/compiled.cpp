// digitnet::compiled: the bodies of what needs no template, once.
#include <digitnet/core/compiled.hpp>
#include <digitnet/data/datasets.hpp>
#include <digitnet/data/download.hpp>
#include <digitnet/data/idx.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/inspect/describe.hpp>
#include <digitnet/inspect/plan.hpp>
#include <digitnet/inspect/summary.hpp>
#include <digitnet/io/safetensors.hpp>
#include <digitnet/model/inference.hpp>
#include <digitnet/report/calibration.hpp>
#include <digitnet/report/classification_report.hpp>
#include <digitnet/report/terminal.hpp>
#include <digitnet/train/batch_runner.hpp>
#include <digitnet/train/callback.hpp>
#include <digitnet/train/checkpoint.hpp>
#include <digitnet/train/fit_loop.hpp>

template class digitnet::detail::Executor<double>;
template class digitnet::detail::Executor<float>;
