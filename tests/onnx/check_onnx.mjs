// Runs every NAME.onnx of a folder in onnxruntime on NAME.input and compares with NAME.output.
//   node check_onnx.mjs FOLDER PACKAGES
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {resolve} from 'node:path';

const [folder, packages] = process.argv.slice(2);
const ort = createRequire(`${resolve(packages)}/`)('onnxruntime-node');
const floats = (path) => {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const compare = async (model, graphOptimizationLevel, tolerance) => {
  const session = await ort.InferenceSession.create(`${folder}/${model}.onnx`, {graphOptimizationLevel});
  const shape = session.inputMetadata[0].shape.slice(1);
  const values = floats(`${folder}/${model}.input`);
  const samples = values.length / shape.reduce((product, extent) => product * extent, 1);
  const input = new ort.Tensor('float32', values, [samples, ...shape]);
  const output = (await session.run({input})).output;
  const wanted = floats(`${folder}/${model}.output`);
  if (output.data.length !== wanted.length) throw new Error(`${model}: ${output.data.length} outputs, not ${wanted.length}`);
  let largest = 0;
  for (let i = 0; i < wanted.length; ++i) largest = Math.max(largest, Math.abs(output.data[i] - wanted[i]));
  console.log(`${model}.onnx, ${graphOptimizationLevel}: largest difference ${largest.toExponential(2)}`);
  if (!(largest < tolerance)) throw new Error(`${model}.onnx differs by ${largest}`);
};
const models = readdirSync(folder).filter((name) => name.endsWith('.onnx')).map((name) => name.slice(0, -5));
if (models.length === 0) throw new Error(`${folder} has no .onnx files`);
for (const model of models) {
  if (!existsSync(`${folder}/${model}.tolerance`)) await compare(model, 'all', 1e-5);
  else {
    // A model on bytes. What the file says is computed node by node; onnxruntime's own products of bytes round some to the
    // next one, by which answers move this far.
    await compare(model, 'basic', 1e-5);
    await compare(model, 'all', Number(readFileSync(`${folder}/${model}.tolerance`, 'utf8')));
  }
}
