// Opus packets on standard input, each after its length in two bytes (little-endian), to float32 samples at 16 kHz.
// Imports do not look in NODE_PATH, require does: so the package is found by the latter.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const found = createRequire(import.meta.url).resolve("@wasm-audio-decoders/opus-ml");
const { OpusMLDecoder } = await import(pathToFileURL(found));
const decoder = new OpusMLDecoder({ channels: 1, sampleRate: 16000, speechQualityEnhancement: "nolace" });
await decoder.ready;

const input = readFileSync(0);
const packets = [];
for (let at = 0; at < input.length; ) {
  const end = at + 2 + input.readUInt16LE(at);
  packets.push(new Uint8Array(input.subarray(at + 2, end)));
  at = end;
}
const { channelData, errors } = decoder.decodeFrames(packets);
if (errors.length) throw new Error(errors[0].message);
const [samples] = channelData;
process.stdout.write(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
