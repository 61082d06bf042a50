// onnxruntime's part in the contest (npm onnxruntime-node, CPU provider): inference of the same networks, with
// random weights. A, B and C are put together here, all others are files that benchmark_export wrote.
//   node onnxruntime.mjs FOLDER NAME [MODELS]    FOLDER holds node_modules; NAME is infer/C/256/2, int8/C/256/2 or
//   latency/C/1/1 ...; MODELS holds D.onnx, C.int8.onnx ...; latencies are of CALLS=N calls (20,000)
// Prints what Google Benchmark prints with --benchmark_format=json. The call from JavaScript is in the figures.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [folder, name, models] = process.argv.slice(2);
const ort = createRequire(folder + '/')('onnxruntime-node');
const [what, network, batchText, threadsText] = name.split('/');
const batch = Number(batchText), threads = Number(threadsText);

// Protocol buffers: a field is its number and wire type, then a number or a length and bytes.
const varint = (n) => { const bytes = []; do { bytes.push(n > 127 ? (n & 127) | 128 : n); n = Math.floor(n / 128); } while (n); return Buffer.from(bytes); };
const integer = (field, n) => Buffer.concat([varint(field * 8), varint(n)]);
const bytes = (field, data) => Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
const text = (field, string) => bytes(field, Buffer.from(string));
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

// The parts of ONNX's ModelProto that are needed here (onnx.proto).
const initializers = [], nodes = [];
const tensor = (name, extents, type, data) => initializers.push(
  message(5, ...extents.map((n) => integer(1, n)), integer(2, type), text(8, name), bytes(9, Buffer.from(data.buffer))));
const weights = (name, extents, inputs) => {
  const bound = Math.sqrt(6 / inputs), size = extents.reduce((a, b) => a * b);
  tensor(name, extents, 1, Float32Array.from({ length: size }, () => (Math.random() * 2 - 1) * bound));
};
const integers = (name, values) => message(5, text(1, name), ...values.map((n) => integer(8, n)), integer(20, 7));
let value = 'x', count = 0;
const node = (type, inputs, ...attributes) => {
  const result = `v${++count}`;
  nodes.push(message(1, ...[value, ...inputs].map((input) => text(1, input)), text(2, result), text(4, type), ...attributes));
  value = result;
};
const dense = (inputs, outputs) => {
  const w = `w${count}`, b = `b${count}`;
  weights(w, [inputs, outputs], inputs);
  weights(b, [outputs], 1e6);
  node('Gemm', [w, b]);
};
const block = (channels, filters) => {
  const w = `w${count}`, b = `b${count}`;
  weights(w, [filters, channels, 3, 3], channels * 9);
  weights(b, [filters], 1e6);
  node('Conv', [w, b], integers('kernel_shape', [3, 3]));
  node('Relu', []);
  node('MaxPool', [], integers('kernel_shape', [2, 2]), integers('strides', [2, 2]));
};
if (network === 'C') {
  block(1, 32);
  block(32, 64);
  tensor('shape', [2], 7, BigInt64Array.from([-1n, 1600n]));
  node('Reshape', ['shape']);
}
const widths = { A: [784, 100], B: [784, 512, 512], C: [1600, 64] }[network] ?? [784];
for (let i = 0; i + 1 < widths.length; ++i) {
  dense(widths[i], widths[i + 1]);
  node('Relu', []);
}
dense(widths.at(-1), 10);
node('Softmax', []);
const dimension = (n) => message(1, integer(1, n));
const image = network === 'C' ? [batch, 1, 28, 28] : [batch, 784];
const typed = (field, name, extents) => message(field, text(1, name), message(2, message(1, integer(1, 1), message(2, ...extents.map(dimension)))));
const model = Buffer.concat([integer(1, 7), message(7, ...nodes, text(2, network), ...initializers, typed(11, 'x', image), typed(12, value, [batch, 10])),
  message(8, text(1, ''), integer(2, 13))]);

const own = what !== 'int8' && 'ABC'.includes(network);
const options = {
  executionProviders: ['cpu'], graphOptimizationLevel: 'all', intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential',
  freeDimensionOverrides: own ? {} : { batch },
};
const session = await ort.InferenceSession.create(own ? model : readFileSync(`${models}/${network}${what === 'int8' ? '.int8' : ''}.onnx`), options);
const extents = own ? image : network === 'G' ? [batch, 96, 96, 3] : [batch, 28, 28, 1], size = extents.reduce((a, b) => a * b);
const feeds = Array.from({ length: own ? 32 : 4 }, () => ({ [session.inputNames[0]]: new ort.Tensor('float32', Float32Array.from({ length: size }, () => Math.random()), extents) }));
const microseconds = () => Number(process.hrtime.bigint()) / 1e3;
const result = { name }, times = [];
const call = async (feed) => {
  const begin = microseconds();
  await session.run(feed);
  return microseconds() - begin;
};
result['first us'] = await call(feeds[0]);
if (what !== 'latency') {
  for (let i = 0; i < (own ? 100 : 4); ++i) await call(feeds[i % feeds.length]);
  const end = microseconds() + 1e6;
  while (microseconds() < end || times.length < 4) times.push(await call(feeds[times.length % feeds.length]));
  result['images/s'] = times.length * batch / times.reduce((a, b) => a + b) * 1e6;
} else {
  for (let i = 0; i < Number(process.env.CALLS ?? 20000); ++i) times.push(await call(feeds[i % feeds.length]));
  const sorted = Float64Array.from(times).sort();
  const quantile = (share) => sorted[Math.floor(share * sorted.length)];
  Object.assign(result, { 'p50 us': quantile(0.5), 'p99 us': quantile(0.99), 'p99.9 us': quantile(0.999), 'most us': sorted.at(-1) });
}
console.log(JSON.stringify({ benchmarks: [result] }, null, 1));
