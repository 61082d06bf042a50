// digitnet::compiled: the bodies of what needs no template, once.
#include <digitnet/data/download.hpp>
#include <digitnet/data/idx_stream.hpp>
#include <digitnet/data/mapped_idx.hpp>
#include <digitnet/digitnet.hpp>
#include <digitnet/train/ranks.hpp>

template class digitnet::detail::Executor<double>;
template class digitnet::detail::Executor<float>;
