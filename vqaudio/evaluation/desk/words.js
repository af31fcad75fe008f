// Figures in words, and text as markup.

const TIMES_WITHOUT_DECIMALS = 10;

function times(ratio) {
  return `${ratio.toFixed(ratio < TIMES_WITHOUT_DECIMALS ? 1 : 0)} ×`;
}

function bytes(count) {
  return `${count.toLocaleString("en")} bytes`;
}

function escaped(text) {
  const signs = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (sign) => signs[sign]);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function inSight(element) {
  const box = element.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight;
}

// The frequency at a share of the height of a mel spectrogram up to `top` Hz (HTK's scale).
function hertzAt(share, top) {
  const mel = share * 2595 * Math.log10(1 + top / 700);
  const hertz = 700 * (10 ** (mel / 2595) - 1);
  return hertz < 1000 ? `${Math.round(hertz / 10) * 10} Hz` : `${(hertz / 1000).toFixed(1)} kHz`;
}
