// What users write is unambiguous beside all of std.
#include <bits/stdc++.h>

#include <digitnet/applications/lenet5.hpp>
#include <digitnet/applications/mobilenet.hpp>
#include <digitnet/applications/resnet.hpp>
#include <digitnet/digitnet.hpp>

using namespace std;
using namespace digitnet;

template <class...>
struct Names;

using Layers =
    Names<ReLU, LeakyReLU, ELU, Sigmoid, Tanh, SiLU, GELU, Softplus, HardSwish, Softmax, BatchNormalization,
          LayerNormalization, Conv2D<8, 3, 1, same, no_bias>, DepthwiseConv2D<3, 1, valid>,
          SeparableConv2D<8, 3>, Dense<10>, Dropout, SpatialDropout2D, GaussianNoise, Identity, Flatten,
          Reshape<2, 2>, Rescaling, ZeroPadding2D<1>, MaxPooling2D<2>, AveragePooling2D<2>,
          GlobalAveragePooling2D, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, Input<2>,
          Shape<2>, Extent, Padding, Residual<ReLU>, Shortcut<ReLU>, Parallel<Concatenate, ReLU>, Add,
          Multiply, SqueezeExcite<4>, Sequential<ReLU>, Buffer<Scalar, 2>, LayerDefaults, Mode, Purpose>;
struct PReLU {
  Initializer alpha_initializer = Constant(0.25);
};

using Initializers =
    Names<GlorotUniform, GlorotNormal, HeUniform, HeNormal, Zeros, Ones, Constant, Initializer, Regularizer>;
using Training =
    Names<SGD, Adam, AdamW, RMSprop, Adagrad, Nadam, Lion, CosineDecay, ExponentialDecay,
          PiecewiseConstantDecay, CategoricalCrossentropy, BinaryCrossentropy, MeanSquaredError,
          MeanAbsoluteError, Huber, EarlyStopping, ReduceLROnPlateau, ModelCheckpoint, BackupAndRestore,
          CSVLogger, ExponentialMovingAverage, Callback, History, EpochLogs, Evaluation, FitOptions,
          TrainerOptions, Verbose, Augmentation, Seed, Random, RandomKey, ThreadTeam>;
using Data = Names<Images, Matrix, Labels, LabelView, Samples, Targets, DataView, Dataset, TrainTest,
                   DatasetNotFound, Error, ConfusionMatrix, ClassScores, ConfidenceBin, datasets::Source>;

using Cnn = Sequential<Input<28, 28, 1>, Conv2D<4, 3>, ReLU, MaxPooling2D<2>, Flatten, Dense<10>, Softmax>;
using Answering = Names<Cnn, Trainer<Cnn, Adam, CategoricalCrossentropy>, Predictor<Cnn>,
                        BatchingPredictor<Cnn>, Ensemble<Cnn, Cnn>, applications::LeNet5<>>;

void use(const TrainTest& data, const Matrix& answers, vector<int>& numbers) {
  const auto [train, test] = data;
  const Dataset part = train.slice(0, 10), digits = synthetic_digits(10, Seed{1});
  const Labels found = classes_of(answers);
  cout << classification_report(test.labels, found) << confusion_table(confusion_matrix(part.labels, found))
       << accuracy(part.labels, test.labels) << top_k_accuracy(part.labels, answers, 2)
       << expected_calibration_error(reliability(part.labels, answers));
  shuffle(numbers.begin(), numbers.end(), RandomKey(Seed{1}));
  shuffle(numbers.begin(), numbers.end(), mt19937{});
  ParameterViews<float, ParameterList<Parameter<"alpha", Shape<2>, &PReLU::alpha_initializer>>> parameters{
      nullptr};
  get<"alpha">(parameters).array() *= 2;
  cout << get<0>(tuple{1}) << get<"alpha">(parameters).size();
  fail("no " + to_string(numbers.size()));
}
