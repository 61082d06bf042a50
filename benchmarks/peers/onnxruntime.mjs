// onnxruntime's part in the contest (npm onnxruntime-node, CPU provider): inference of the same networks, with
// random weights.
//   node onnxruntime.mjs FOLDER NAME    FOLDER holds node_modules; NAME is infer/C/256/2 or latency/C/1/1 ...
// Prints what Google Benchmark prints with --benchmark_format=json. The call from JavaScript is in the figures.
import { createRequire } from 'node:module';

const [folder, name] = process.argv.slice(2);
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
const widths = { A: [784, 100], B: [784, 512, 512], C: [1600, 64] }[network];
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

const session = await ort.InferenceSession.create(model, {
  executionProviders: ['cpu'], graphOptimizationLevel: 'all', intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential',
});
const feeds = Array.from({ length: 32 }, () => ({ x: new ort.Tensor('float32', Float32Array.from({ length: batch * 784 }, () => Math.random()), image) }));
const microseconds = () => Number(process.hrtime.bigint()) / 1e3;
const times = [];
for (let i = 0; i < 100; ++i) await session.run(feeds[i % 32]);
const end = microseconds() + 1e6;
while (microseconds() < end || times.length < 1000) {
  const begin = microseconds();
  await session.run(feeds[times.length % 32]);
  times.push(microseconds() - begin);
}
const total = times.reduce((a, b) => a + b);
times.sort((a, b) => a - b);
const result = { name };
if (what === 'infer') result['images/s'] = times.length * batch / total * 1e6;
else { result['p50 us'] = times[times.length >> 1]; result['p99 us'] = times[Math.floor(times.length * 0.99)]; }
console.log(JSON.stringify({ benchmarks: [result] }));
