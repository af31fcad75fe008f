// What pictures are made of: colours, images, peaks of a sound.

const PEAKS_A_SECOND = 400;

// 256 colours from "r g b, r g b, ..." at equal distances.
function rampOf(text) {
  const stops = text.split(",").map((stop) => stop.trim().split(/\s+/).map(Number));
  return Array.from({ length: 256 }, (_, index) => {
    const place = (index / 255) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(place));
    return stops[low].map((value, part) => Math.round(value + (stops[low + 1][part] - value) * (place - low)));
  });
}

function imageOf(width, height, colour) {
  const canvas = new OffscreenCanvas(Math.max(1, width), Math.max(1, height));
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [red, green, blue] = colour(x, y);
      image.data.set([red, green, blue, 255], 4 * (y * canvas.width + x));
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function peaksOf(buffer) {
  const samples = buffer.getChannelData(0);
  const step = buffer.sampleRate / PEAKS_A_SECOND;
  const count = Math.ceil(samples.length / step);
  const [lows, highs] = [new Float32Array(count), new Float32Array(count)];
  let most = 0.05;
  for (let index = 0; index < count; index++) {
    const end = Math.min(samples.length, Math.ceil((index + 1) * step));
    for (let at = Math.floor(index * step); at < end; at++) {
      if (samples[at] < lows[index]) lows[index] = samples[at];
      if (samples[at] > highs[index]) highs[index] = samples[at];
    }
    most = Math.max(most, -lows[index], highs[index]);
  }
  return { lows, highs, most };
}

// The code of a codebook, counted from 0, in a column of the finest one's codes.
function codeAt({ codes, columns }, book, column) {
  return codes[book][Math.floor((column * codes[book].length) / columns)];
}

// A picture as it is sent, with the levels of its spectrogram as bytes.
function unpacked(picture) {
  if (picture.mel) picture.mel.levels = Uint8Array.from(atob(picture.mel.levels), (letter) => letter.charCodeAt(0));
  if (picture.tokens) picture.tokens.columns = Math.max(...picture.tokens.codes.map((own) => own.length));
  return picture;
}
