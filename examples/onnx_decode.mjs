// Codes to a WAV, with a decoder that `python -m vqaudio.export` wrote: node onnx_decode.mjs FOLDER CODES.json OUT.wav
// CODES.json holds the model's fingerprint and codes, a list for each codebook (docs/onnx.md says how it is made).
import { readFileSync, writeFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [folder, source, target] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const config = read(`${folder}/config.json`), { fingerprint, codes } = read(source);
if (fingerprint !== config.fingerprint) {
  console.error(`error: ${source} is of model ${fingerprint}, and ${folder} of ${config.fingerprint}: take files of one model`);
  process.exit(1);
}

// Frames that the decoder sees beyond both ends: the codes mirrored, as in the codec.
const count = codes[0].length, beyond = config.decoder_context, frames = count + 2 * beyond;
const mirrored = (place) => { const at = ((place % (2 * count)) + 2 * count) % (2 * count); return Math.min(at, 2 * count - 1 - at); };
const numbers = codes.flatMap((row) => Array.from({ length: frames }, (_, at) => BigInt(row[mirrored(at - beyond)])));
const feeds = { codes: new Tensor("int64", BigInt64Array.from(numbers), [1, codes.length, frames]) };
if (config.speakers.length) feeds.speaker = new Tensor("int64", BigInt64Array.of(0n), [1]); // nobody; 1 and up are config.speakers
const session = await InferenceSession.create(`${folder}/decoder.onnx`);
const { waveform } = await session.run(feeds);

const cut = beyond * config.hop_length, samples = waveform.data.slice(cut, -cut), wav = Buffer.alloc(44 + 2 * samples.length);
wav.write("RIFF", 0), wav.writeUInt32LE(36 + 2 * samples.length, 4), wav.write("WAVEfmt ", 8), wav.writeUInt32LE(16, 16);
wav.writeUInt16LE(1, 20), wav.writeUInt16LE(1, 22), wav.writeUInt32LE(config.sample_rate, 24); // 16-bit PCM, one channel
wav.writeUInt32LE(2 * config.sample_rate, 28), wav.writeUInt16LE(2, 32), wav.writeUInt16LE(16, 34);
wav.write("data", 36), wav.writeUInt32LE(2 * samples.length, 40);
samples.forEach((x, at) => wav.writeInt16LE(Math.round(32767 * Math.max(-1, Math.min(1, x))), 44 + 2 * at));
writeFileSync(target, wav);
