// Reports: what their pictures show at which place, and that their numbers are the ones that were measured.
#include <digitnet/digitnet.hpp>
#include <digitnet/report/report.hpp>
#include <filesystem>
#include <set>

#include "support/support.hpp"

using namespace digitnet;
using support::contains;

namespace {

Picture read_picture(const std::string& path) { return decode_png(read_file(path)); }

// Thirty digits; the second and the fourth are answered wrongly.
struct Answered {
  Dataset test = synthetic_digits(30, Seed{1});
  report::Content content;

  Answered() {
    content.title = "Digits <tested>";
    content.dataset = "synthetic digits";
    content.command = "program --seed 1";
    content.settings = {{"seed", "1"}};
    content.test = &test;
    content.scores = Matrix::from_shape({test.size(), 10});
    for (std::size_t i = 0; i < test.size(); ++i)
      for (std::size_t j = 0; j < 10; ++j) {
        const std::size_t answer = (test.labels(i) + (i == 1 || i == 3 ? 1u : 0u)) % 10;
        content.scores(i, j) = j == answer ? (i == 3 ? 0.91f : 0.82f) : (i == 3 ? 0.01f : 0.02f);
      }
    content.evaluation = {.loss = 0.4321, .accuracy = 28.0 / 30};
    content.history.epochs = {
        {.epoch = 1, .loss = 0.9, .accuracy = 0.7, .learning_rate = 1e-3, .seconds = 2},
        {.epoch = 2, .loss = 0.5, .accuracy = 0.8, .learning_rate = 5e-4, .seconds = 2}};
  }
};

}  // namespace

TEST_CASE("pictures are drawn where they are asked for, and come back from PNG") {
  Picture picture(20, 12, colors::black);
  picture.fill(2, 3, 4, 5, colors::wrong);
  picture.write("-", 10, 0, 1, colors::white);
  picture.fill(18, 10, 100, 100, colors::right);  // cut off
  CHECK(picture.at(2, 3) == colors::wrong);
  CHECK(picture.at(5, 7) == colors::wrong);
  CHECK(picture.at(6, 7) == colors::black);
  CHECK(picture.at(5, 8) == colors::black);
  for (std::size_t x = 10; x < 15; ++x)
    CHECK(picture.at(x, 3) == colors::white);  // the dash is in the middle
  CHECK(picture.at(12, 2) == colors::black);
  CHECK(picture.at(19, 11) == colors::right);

  const std::string bytes = png_bytes(picture);
  const Picture back = decode_png(std::as_bytes(std::span(bytes)));
  CHECK(std::ranges::equal(back.bytes(), picture.bytes()));
  CHECK_ERROR("PNG", decode_png(std::as_bytes(std::span(bytes)).first(40)));
  CHECK_ERROR("not a PNG", decode_png(std::as_bytes(std::span("not a picture"))));
  CHECK_ERROR("larger", decode_png(std::as_bytes(std::span(bytes)), 100));
  CHECK_ERROR("0 x 3", Picture(0, 3));
}

TEST_CASE("weights are red and blue around white, activations white on black") {
  const float values[] = {0, 2, -2, 1};
  const Picture weights = picture_of_weights(values, 2, 2, 1, 2);
  CHECK(weights.at(0, 0) == colors::white);
  CHECK(weights.at(1, 0) == Color{178, 24, 43});
  CHECK(weights.at(0, 1) == Color{33, 102, 172});
  CHECK(weights.at(1, 1) == Color{217, 140, 149});
  const Picture activations = picture_of_activations(values, 2, 2, 1, 2);
  CHECK(activations.at(1, 0) == colors::white);
  CHECK(activations.at(0, 1) == colors::black);
}

TEST_CASE("calibration: bins and their distance from the diagonal") {
  const Labels labels{0, 1, 0, 1};
  // Confidences 0.9 (right), 0.9 (wrong), 0.6 (right), 0.5 (wrong: class 0 of two equal ones)
  const Matrix scores{{0.9f, 0.1f}, {0.9f, 0.1f}, {0.6f, 0.4f}, {0.5f, 0.5f}};
  const auto bins = reliability(labels, scores, 5);
  REQUIRE(bins.size() == 5);
  CHECK(bins[4].count == 2);
  CHECK(bins[4].accuracy == doctest::Approx(0.5));
  CHECK(bins[4].confidence == doctest::Approx(0.9));
  CHECK(bins[2].count + bins[3].count == 2);
  CHECK(bins[0].count == 0);
  // (2 * |0.9 - 0.5| + ...) / 4; 0.6 and 0.5 share the bin (0.4, 0.6] unless float 0.6 is above 3/5
  const double rest = bins[2].count == 2 ? 2 * std::abs(0.55 - 0.5) : std::abs(0.6 - 1) + std::abs(0.5 - 0);
  CHECK(expected_calibration_error(bins) == doctest::Approx((0.8 + rest) / 4).epsilon(1e-6));
  CHECK_ERROR("at least one bin", reliability(labels, scores, 0));
}

TEST_CASE("the diagram knows what is fused and what skips") {
  Sequential<Input<8, 8, 4>, Conv2D<4, 3, 1, same>, ReLU,
             Residual<Conv2D<4, 3, 1, same, no_bias>, BatchNormalization>, ReLU, Flatten, Dense<3>, Softmax>
      model{Seed{1}};
  const auto boxes = diagram_boxes(describe(model), model.operations());
  REQUIRE(boxes.size() > 4);
  CHECK(boxes[0].layers == std::vector<std::string>{"input"});
  CHECK(boxes[1].layers == std::vector<std::string>{"conv2d", "re_lu"});
  CHECK(boxes[1].parameters == 3 * 3 * 4 * 4 + 4);
  CHECK(boxes[2].sources == std::vector<std::size_t>{1});
  const auto& sum = boxes[3];
  REQUIRE(contains(sum.layers[0], "add"));
  CHECK(std::set<std::size_t>(sum.sources.begin(), sum.sources.end()) == std::set<std::size_t>{1, 2});
  std::size_t parameters = 0;
  for (const DiagramBox& box : boxes) parameters += box.parameters;
  CHECK(parameters == decltype(model)::parameter_count);
}

TEST_CASE("a report's pictures: right answers framed green, wrong ones red, at their places") {
  const support::Folder folder;
  Answered answered;
  const report::Written written = report::write(folder / "a/b", answered.content);
  const std::string at = folder / "a/b/";
  for (const std::string& name : written.files) CHECK(std::filesystem::exists(at + name));

  const GridLayout layout;
  const Picture predictions = read_picture(at + "predictions.png");
  const std::size_t side = 28 * layout.scale;
  // Two lines of text below each: rows are as far apart as the picture's height says.
  const std::size_t row = (predictions.height() - layout.gap) / 4;
  for (std::size_t i = 0; i < 24; ++i) {
    CAPTURE(i);
    const std::size_t x = layout.left(i, side), y = layout.gap + layout.frame + i / layout.columns * row;
    const Color expected = i == 1 || i == 3 ? colors::wrong : colors::right;
    CHECK(predictions.at(x - 1, y - 1) == expected);
    CHECK(predictions.at(x + side, y + side) == expected);
    // And inside is the image.
    const std::uint8_t pixel = answered.test.images(i, 14, 14, 0);
    CHECK(predictions.at(x + 14 * layout.scale, y + 14 * layout.scale) == Color{pixel, pixel, pixel});
  }
  // The more confident mistake comes first.
  const Picture mistakes = read_picture(at + "mistakes.png");
  for (std::size_t y = 0; y < 28; ++y) {
    const std::uint8_t first = answered.test.images(3, y, 14, 0), second = answered.test.images(1, y, 14, 0);
    const std::size_t top = layout.gap + layout.frame + y * layout.scale;
    CHECK(mistakes.at(layout.left(0, side) + 14 * layout.scale, top) == Color{first, first, first});
    CHECK(mistakes.at(layout.left(1, side) + 14 * layout.scale, top) == Color{second, second, second});
  }
  CHECK(mistakes.width() == layout.gap + 2 * (side + 2 * layout.frame + layout.gap));
}

TEST_CASE("names stand for themselves in Markdown and in gnuplot's scripts") {
  using namespace report::detail;
  CHECK(markdown("re_lu_1 <b>|_x_ & [a](b)\n`c`") == "re_lu_1 &lt;b\\>\\|\\_x\\_ &amp; \\[a\\](b) \\`c\\`");
  CHECK(code("a b") == "`a b`");
  CHECK(code("a `` b") == "``` a `` b ```");
  CHECK(digitnet::detail::plot_text("it's\n\"q\"") == "'it''s \"q\"'");
  if (!has_gnuplot()) return;
  // Backquotes run a command within gnuplot's double quotes.
  const support::Folder folder;
  const std::string trace = folder / "trace";
  ConfusionMatrix counts = ConfusionMatrix::from_shape({2, 2});
  counts.fill(1);
  const std::vector<Plot> plots{{"p", 200, 200, [&](const PlotTheme& theme) {
                                   return confusion_commands(counts, {"`touch " + trace + "`", "a'b"}, theme);
                                 }}};
  draw_plots(plots);
  CHECK(!std::filesystem::exists(trace));
}

TEST_CASE("a report's page and card have the numbers that were measured") {
  const support::Folder folder;
  Answered answered;
  Sequential<Input<28, 28, 1>, Conv2D<4, 3>, ReLU, MaxPooling2D<2>, Flatten, Dense<10>, Softmax> model{
      Seed{1}};
  answered.content.model = describe(model);
  answered.content.plan = model.operations();
  answered.content.parameters = std::as_const(model).parameters();
  answered.content.feature_maps = first_feature_maps(model, answered.test.images);
  const report::Written written = report::write(folder.path(), answered.content);
  const std::string page = support::read_file(folder / "report.html");
  CHECK(contains(page, "<data value=\"0.93333333333333335\">93.33 ± 4.55 %</data>"));
  CHECK(contains(page, "<data value=\"0.43209999999999998\">0.4321</data>"));
  CHECK(contains(page, "<h1>Digits &lt;tested&gt;</h1>"));
  CHECK(contains(page, "2 of 30"));
  CHECK(contains(page, "conv2d + re_lu + max_pooling2d"));
  CHECK(contains(page, "program --seed 1"));
  CHECK(!contains(page, "http://"));  // nothing from elsewhere
  CHECK(!contains(page, "https://"));
  CHECK(!contains(page, "<script"));
  // Every image says what it shows.
  for (std::size_t at = page.find("<img "); at != std::string::npos; at = page.find("<img ", at + 1))
    CHECK(page.substr(at, page.find('>', at) - at).find(" alt=\"") != std::string::npos);

  const std::string card = support::read_file(folder / "model_card.md");
  CHECK(contains(card, "# Digits &lt;tested\\>\n"));
  CHECK(contains(card, "93.33 ± 4.55 % of the test images"));
  CHECK(contains(card, "| conv2d | Conv2D (filters 4"));
  for (std::size_t digit = 0; digit < 10; ++digit)
    CHECK(contains(card, "\n| " + std::to_string(digit) + " | "));
  CHECK(std::filesystem::exists(folder / "filters.png"));
  CHECK(std::filesystem::exists(folder / "feature_maps.png"));
  // gnuplot's pictures, where there is gnuplot; and their absence is said.
  for (const char* const name : {"curves", "confusion", "reliability", "plan"}) {
    CAPTURE(name);
    CHECK(std::filesystem::exists(folder / "" + name + ".svg") == has_gnuplot());
    CHECK(std::filesystem::exists(folder / "" + name + ".png") == has_gnuplot());
  }
  CHECK(written.missing.empty() == has_gnuplot());
  if (has_gnuplot()) {
    CHECK(contains(support::read_file(folder / "confusion.svg"), "predicted class"));
    CHECK(contains(page, "prefers-color-scheme: dark"));
    CHECK(read_picture(folder / "curves.png").width() == 960);
  }
}

TEST_CASE("without gnuplot the report comes, and says what is missing") {
  const support::Folder folder;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", folder.path().c_str(), 1);
  Answered answered;
  const report::Written written = report::write(folder / "report", answered.content);
  ::setenv("PATH", path.c_str(), 1);
  REQUIRE(written.missing.size() == 1);
  CHECK(contains(written.missing[0], "gnuplot-nox"));
  CHECK(contains(support::read_file(folder / "report/report.html"), "gnuplot is not installed"));
  CHECK(!std::filesystem::exists(folder / "report/curves.png"));
}

TEST_CASE("reports refuse what does not fit, and places that cannot be written") {
  Answered answered;
  const support::Folder folder;
  support::write_file(folder / "file", "x");
  CHECK_ERROR("/file/report cannot be made", report::write(folder / "file/report", answered.content));
  answered.content.scores = Matrix::from_shape({3, 10});
  CHECK_ERROR("30 labels but 3 predictions", report::write(folder.path(), answered.content));
  answered.content.test = nullptr;
  CHECK_ERROR("test images", report::write(folder.path(), answered.content));
  CHECK_ERROR("Image 3 was asked for, but the dataset has 3 images",
              report::picture_of_image(synthetic_digits(3, Seed{1}), 3));
}

TEST_CASE("axes have few tics at round numbers") {
  CHECK(contains(detail::Range{97.3, 99.8}.tics('y', 6), "set ytics 97.5, 0.5\n"));
  CHECK(contains(detail::Range{1, 12}.tics('x', 8, 1), "set xtics 2, 2\n"));
  CHECK(contains(detail::Range{0.021, 0.3}.logarithmic_tics(), "set ytics (0.02, 0.05, 0.1, 0.2)"));
}

TEST_CASE("HTML is escaped, Base64 padded (RFC 4648)") {
  CHECK(html::escaped("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  CHECK(html::base64("") == "");
  CHECK(html::base64("f") == "Zg==");
  CHECK(html::base64("fo") == "Zm8=");
  CHECK(html::base64("foo") == "Zm9v");
  CHECK(html::base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("terminals show images, matrices and errors of measurement") {
  const std::uint8_t pixels[] = {255, 0, 255, 255, 0, 0};  // two columns, three rows
  CHECK(terminal_image(pixels, 3, 2, false) == "█▄\n  \n");
  const std::string gray = terminal_image(pixels, 3, 2, true);
  CHECK(contains(gray, "\x1b[38;5;255m\x1b[48;5;255m▀"));
  CHECK(contains(gray, "\x1b[38;5;232m\x1b[48;5;255m▀\x1b[0m\n"));
  const ConfusionMatrix counts{{98, 2}, {0, 7}};
  const std::string table = terminal_confusion_matrix(counts, {"cat", "dog"}, false);
  CHECK(contains(table, " cat  98   2 \n"));
  CHECK(contains(table, " dog   ·   7 \n"));
  CHECK(contains(terminal_confusion_matrix(counts, {}, true), "\x1b[97;48;5;28m 98 \x1b[0m"));
  CHECK(percent_with_error(0.9921, 10000) == "99.21 ± 0.09 %");
  CHECK(percent_with_error(std::vector{0.99, 0.98, 1.0}) == "99.00 ± 0.58 %");
}
