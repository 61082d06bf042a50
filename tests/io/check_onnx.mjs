// Runs the ONNX files of write_files in onnxruntime and compares the outputs.
//   node check_onnx.mjs FOLDER PACKAGES
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {resolve} from 'node:path';

const [folder, packages] = process.argv.slice(2);
const ort = createRequire(`${resolve(packages)}/`)('onnxruntime-node');
const floats = (path) => {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const shapes = {every_layer: [9, 8, 2], pooled: [7, 6, 3], branches: [9, 8, 2], ann: [20], cnn: [12, 12, 1]};
for (const [model, shape] of Object.entries(shapes)) {
  const session = await ort.InferenceSession.create(`${folder}/${model}.onnx`);
  const input = new ort.Tensor('float32', floats(`${folder}/${model}.input`), [50, ...shape]);
  const output = (await session.run({input})).output;
  const wanted = floats(`${folder}/${model}.output`);
  if (output.data.length !== wanted.length) throw new Error(`${model}: ${output.data.length} outputs, not ${wanted.length}`);
  let largest = 0;
  for (let i = 0; i < wanted.length; ++i) largest = Math.max(largest, Math.abs(output.data[i] - wanted[i]));
  console.log(`${model}.onnx: largest difference ${largest.toExponential(2)}`);
  if (!(largest < 1e-5)) throw new Error(`${model}.onnx differs by ${largest}`);
}
