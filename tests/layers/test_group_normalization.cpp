// GroupNormalization against its definition, computed elsewhere.
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/group_normalization.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;
using testing::check_gradients;

namespace {

using Values = std::vector<double>;

// By NumPy in long double, on two samples (2, 3, 4) with an epsilon of 1e-3: y by the definition
//   z = x.reshape(2, 6, groups, 4 // groups); m = z.mean((1, 3), keepdims=True)
//   y = ((z - m) / sqrt(((z - m) ** 2).mean((1, 3), keepdims=True) + epsilon)).reshape(x.shape) * gamma +
//   beta
// and the derivatives of sum(dy * y) by central differences of that, with steps of 1e-6.
const Values two_x{2.28, 5.41, 5.79, 3.63,  3.83, 2.02,  1.17, 1.2,   1,    4.86,  2.89, 3.26,
                   1.72, 0.82, 0.6,  1.32,  4.2,  3.04,  2.09, 2.52,  0.15, 5.46,  0.57, 3.08,
                   7.27, -2.1, 0.19, 1.55,  3.23, -0.43, 2.53, 2.94,  3.34, -1.78, 4.29, 6.19,
                   3.87, 1.55, 1.77, -2.29, 3.95, 6.01,  4.3,  -2.95, 2.15, 2.79,  2.03, 5.07};
const Values two_gamma_beta{1.33, 1.37, 1.27, 1.09, 0.48, -0.89, -0.35, 0.04};
const Values two_y{0.0131150946, 1.06024457,   2.66825037,   1.00704082,   1.1818983,    -1.57287687,
                   -1.37748949,  -0.819313471, -0.95207362,  0.633041976,  0.128716692,  0.728953949,
                   -0.409154968, -2.50495526,  -1.87663921,  -0.729123136, 1.46089817,   -0.780610245,
                   -0.571844321, 0.172780216,  -1.59301925,  1.09908117,   -1.90291025,  0.593668446,
                   2.80943294,   -3.19165505,  -1.27860212,  -0.199711411, 0.841652683,  -2.35377735,
                   -0.161414994, 0.369859292,  0.895230858,  -3.03110364,  0.678862502,  1.70158935,
                   1.15338025,   -1.36036547,  -0.524262094, -1.7732017,   1.19234619,   0.877319872,
                   0.683636806,  -2.04364534,  0.315612417,  -0.738228741, -0.400130191, 1.24265468};
const Values two_dy{-1.74, -0.72, 0.6,   0.99,  0.17,  1.06,  0.52,  -1.06, 1.29,  -0.51, -1.63, 0.44,
                    1.81,  0.96,  1,     0.19,  -2.47, 0.68,  0.16,  -2.64, -0.65, -0.88, 1.06,  0.12,
                    0.3,   0.24,  -1.33, -1.96, 0.06,  -0.29, -0.01, -0.17, -0.5,  0.56,  0.19,  -0.62,
                    -1.9,  -2.59, -1.44, -0.15, 0.91,  -0.42, 0.68,  1.16,  2.38,  0.29,  1.49,  0.23};
const Values two_dx{-1.41173269,  0.156990502,    0.65595393,   0.791528122,    0.432558106,  0.655880785,
                    0.408208965,  -0.842683164,   0.539384301,  0.176732254,    -1.40839619,  0.363925259,
                    1.11917915,   0.265396026,    0.806622921,  0.101414789,    -1.46169339,  0.626612455,
                    0.128340439,  -1.979421,      -1.1450547,   0.0457471986,   0.858011173,  0.116494756,
                    0.258152474,  0.0945800299,   -0.570767394, -0.736083942,   0.0818128673, -0.146762024,
                    0.0643215086, 0.000291265935, -0.189330288, 0.259839704,    0.163478602,  -0.177323264,
                    -0.863436282, -1.27159297,    -0.619989168, -0.00242222654, 0.506419622,  -0.117232324,
                    0.397440354,  0.532990797,    1.19593492,   0.191614272,    0.779424199,  0.168639266};
const Values two_d_gamma_beta{-3.09016184, -5.06428785, -0.318201875, -0.682307706,
                              -0.34,       -1.62,       1.29,         -3.47};
const Values each_x{-1.74, 3.75, 2.36, 0.45,  6.38, 1.77,  3.94, 2.47, 1.57,  2.66, 4.59, 1.62,
                    -0.3,  6.59, 3.88, 1.08,  2.82, -0.13, 2.87, 4.72, -0.86, 4.73, 4.62, 2.46,
                    3.2,   2.33, 2.11, -0.72, 6.26, 1.66,  3.27, 2.54, 3.91,  4.13, 0.96, 3.72,
                    2.46,  1.23, 5.59, 5.36,  1.19, 2.4,   0.98, 0.73, 1.04,  4.11, 0.17, 0.07};
const Values each_gamma_beta{1.37, 0.7, 0.74, 0.59, 0.26, 0.93, -0.63, -0.59};
const Values each_y{-1.27237055,  1.10037691,   -1.82142644,  -1.31941784, 2.80502395,  0.453706728,
                    -0.427016236, -0.444116432, 0.389720063,  0.744381708, 0.146633532, -0.812436331,
                    -0.549285813, 2.02792403,   -0.479968522, -1.0464278,  1.01739779,  -0.166835364,
                    -1.37133201,  0.530848005,  -0.830485434, 1.42044599,  0.173109675, -0.448449608,
                    0.4066221,    0.733680028,  -0.65851813,  -1.3289615,  2.76800961,  0.313889451,
                    -0.18593197,  -0.426708882, 0.954525737,  1.86147561,  -1.12703027, -0.100126646,
                    -0.164432395, 0.044471617,  0.759240351,  0.353767308, -1.14448538, 0.777538745,
                    -1.11888223,  -0.92765282,  -1.26023967,  1.84894455,  -1.44887774, -1.11031746};
const Values each_dy{0.29,  -0.72, 1.23,  -0.96, -0.49, -0.78, -2.31, 0.35,  0.7,   0.96,  -0.19, 0.67,
                     -0.15, -0.09, -0.8,  -0.16, -0.94, 0.6,   -0.67, -1.05, -0.11, -0.06, -1.69, -1.07,
                     -0.59, 0.38,  0.52,  0.78,  -0.27, -0.84, -1.44, 0.1,   -0.42, 0.42,  0.99,  1.98,
                     -0.88, 0.55,  -1.66, 1.03,  -1.22, -0.14, -1.1,  1.55,  0.55,  0.89,  -0.14, 0.38};
const Values each_dx{0.0626801181,  -0.216707796, 0.757049307,    -0.354484359,  0.0475830696, -0.287717998,
                     -1.22007915,   0.331754023,  0.42206327,     0.303678312,   1.12279193,   0.420512881,
                     -0.0914808712, 0.062796426,  0.0689942811,   0.0291564084,  -0.343479792, 0.113654724,
                     -0.5495207,    -0.142794997, -0.0973657945,  0.0242963313,  -0.17923567,  -0.284143957,
                     -0.0932812386, 0.156147572,  0.394105399,    0.0121295488,  0.12203106,   -0.502115908,
                     -0.240321108,  -0.255085487, 0.0305679263,   -0.103919178,  0.422917623,  0.236631414,
                     -0.309423735,  0.436907022,  -0.00178723155, -0.0660448914, -0.558672564, -0.180748386,
                     -0.425723284,  0.190093541,  0.808778551,    0.193728878,   -0.149191398, -0.117724126};
const Values each_d_gamma_beta{-1.36918423, 0.672311884, -7.92238984, 0.0132768781, -3.53, 1.17, -7.26, 3.6};

template <class Layer>
void check_reference(const Values& x, const Values& gamma_beta, const Values& y, const Values& dy,
                     const Values& dx, const Values& d_gamma_beta) {
  const Layer layer;
  testing::detail::Bench<Layer, Shape<2, 3, 4>, float> bench{.layer = layer, .samples = 2};
  const std::size_t beta = decltype(bench)::Parameters::offset(1);
  const auto put = [](const Values& from, std::size_t first, std::size_t count, float* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[first + i]);
  };
  const auto found = [](float* from, std::size_t count) { return std::vector<float>(from, from + count); };
  put(x, 0, 48, bench.x.data());
  bench.parameters.fill(0);
  put(gamma_beta, 0, 4, bench.parameters.data());
  put(gamma_beta, 4, 4, bench.parameters.data() + beta);
  bench.forward(RandomKey{});
  support::check_close(found(bench.y.data(), 48), y, 2e-6);
  put(dy, 0, 48, bench.dy.data());
  bench.gradients.fill(0);
  bench.backward();
  support::check_close(found(bench.dx.data(), 48), dx, 4e-6);
  support::check_close(found(bench.gradients.data(), 4),
                       Values(d_gamma_beta.begin(), d_gamma_beta.begin() + 4), 4e-6);
  support::check_close(found(bench.gradients.data() + beta, 4),
                       Values(d_gamma_beta.begin() + 4, d_gamma_beta.end()), 4e-6);
}

}  // namespace

TEST_CASE("groups of two channels, and each channel by itself, are as defined") {
  check_reference<GroupNormalization<2>>(two_x, two_gamma_beta, two_y, two_dy, two_dx, two_d_gamma_beta);
  check_reference<GroupNormalization<4>>(each_x, each_gamma_beta, each_y, each_dy, each_dx,
                                         each_d_gamma_beta);
}

TEST_CASE("gradients of every combination, in poisoned buffers") {
  CHECK(check_gradients<GroupNormalization<2>, Shape<3, 2, 6>>() <= 1e-6);
  CHECK(check_gradients<GroupNormalization<1>, Shape<2, 5, 3>>() <= 1e-6);
  CHECK(check_gradients<GroupNormalization<3>, Shape<4, 3>>() <= 1e-6);
  CHECK(check_gradients<BasicGroupNormalization<3, false, true>, Shape<9>>() <= 1e-6);
  CHECK(check_gradients<BasicGroupNormalization<2, true, false>, Shape<3, 4>>() <= 1e-6);
  CHECK(check_gradients<BasicGroupNormalization<2, false, false>, Shape<2, 2, 4>>({.epsilon = 0.1f}) <= 1e-6);
}

TEST_CASE("numbers far from zero cost no precision") {
  using Layer = GroupNormalization<2>;
  const Layer layer;
  testing::detail::Bench<Layer, Shape<3, 5, 6>, float> near{.layer = layer, .samples = 2},
      far{.layer = layer, .samples = 2};
  Random random(Seed{3});
  for (std::size_t i = 0; i < near.x.size(); ++i) {
    // Whole multiples of 1/16, so that both inputs are exact.
    near.x.data()[i] = static_cast<float>(std::round(random.uniform(-32, 32)) / 16);
    far.x.data()[i] = near.x.data()[i] + 100'000;
  }
  for (auto* bench : {&near, &far}) {
    bench->parameters.fill(1);
    bench->forward(RandomKey{});
  }
  support::check_close(std::vector<float>(far.y.data(), far.y.data() + far.y.size()),
                       std::vector<float>(near.y.data(), near.y.data() + near.y.size()), 1e-5);
}

TEST_CASE("parameters have Keras' names and order, and one group less is another layer") {
  const Sequential<Input<4, 4, 6>, GroupNormalization<3>> model{Seed{1}};
  std::string names;
  model.for_each_parameter([&](const ParameterInfo& info) { names += info.name + " "; });
  CHECK(names == "group_normalization/gamma group_normalization/beta ");
  CHECK(model.parameter_count == 12);
  CHECK(GroupNormalization<>{}.epsilon == 1e-3f);
}
