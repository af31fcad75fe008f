// The rows of a stack: what each shows of a take, between the times that are in view.

const GUTTER = 54; // pixels at the left, for what stands at the axes
const TICK_STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]; // seconds
const TICK_PIXELS = 70; // between two of them, at least

function drawWaveform(stack, context, row) {
  const middle = row.top + row.height / 2;
  const [from, to] = stack.view;
  const { lows, highs } = stack.peaks;
  context.fillStyle = stack.accent;
  for (let pixel = 0; pixel < stack.width; pixel++) {
    const first = Math.floor((from + (pixel / stack.width) * (to - from)) * PEAKS_A_SECOND);
    const end = Math.max(first + 1, Math.ceil((from + ((pixel + 1) / stack.width) * (to - from)) * PEAKS_A_SECOND));
    let [low, high] = [0, 0];
    for (let index = first; index < end && index < lows.length; index++) {
      low = Math.min(low, lows[index]);
      high = Math.max(high, highs[index]);
    }
    const scale = row.height / 2 / stack.peaks.most;
    context.fillRect(GUTTER + pixel, middle - high * scale, 1, Math.max(1, (high - low) * scale));
  }
}

function drawMel(stack, context, row) {
  const { frames, bands, levels, seconds, start } = stack.picture.mel;
  stack.images.mel ??= imageOf(frames, bands, (frame, band) => stack.ramp[levels[frame * bands + (bands - 1 - band)]]);
  stretch(stack, context, stack.images.mel, { row, start, seconds: frames * seconds, smooth: true });
}

function drawTokens(stack, context, row) {
  const { codes, alphabets, seconds, start, columns } = stack.picture.tokens;
  stack.images.tokens ??= imageOf(columns, codes.length, (column, book) => {
    const code = codeAt(stack.picture.tokens, book, column);
    return stack.ramp[Math.round(40 + (215 * code) / Math.max(1, alphabets[book] - 1))];
  });
  stretch(stack, context, stack.images.tokens, { row, start, seconds: columns * seconds, smooth: false });
}

function drawBits(stack, context, row) {
  const { bits, plain, seconds, start } = stack.picture.tokens;
  const most = Math.max(plain * 1.15, ...bits);
  const y = (value) => row.top + row.height - (value / most) * (row.height - 4);
  context.strokeStyle = stack.soft;
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(GUTTER, y(plain));
  context.lineTo(GUTTER + stack.width, y(plain));
  context.stroke();
  context.setLineDash([]);
  context.strokeStyle = stack.accent;
  context.lineWidth = 1.5;
  context.beginPath();
  bits.forEach((value, frame) => context.lineTo(stack.x(start + (frame + 0.5) * seconds), y(value)));
  context.stroke();
  context.lineWidth = 1;
}

function stretch(stack, context, image, { row, start, seconds, smooth }) {
  const [left, right] = [stack.x(start), stack.x(start + seconds)];
  context.imageSmoothingEnabled = smooth;
  context.drawImage(image, left, row.top, right - left, row.height);
}

function drawLabel(stack, context, row) {
  const ticks = { waveform: [], mel: stack.picture?.mel?.ticks ?? [], tokens: [], bits: [] }[row.name];
  context.fillStyle = stack.soft;
  context.textAlign = "right";
  if (row.name === "tokens") {
    const count = stack.picture.tokens.codes.length;
    const every = count > 4 ? 4 : 1;
    for (let book = 0; book < count; book += every)
      ticks.push([1 - (book + 0.5) / count, `${book + 1}`]);
  }
  if (row.name === "bits") ticks.push([0.93 / 1.15, `${stack.picture.tokens.plain}`], [0.08, "0"]);
  for (const [share, text] of ticks) context.fillText(text, GUTTER - 6, row.top + row.height * (1 - share));
  const title = { waveform: "sound", mel: "kHz", tokens: "tokens", bits: "bits" }[row.name];
  context.save();
  context.translate(9, row.top + row.height / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(title, 0, 0);
  context.restore();
}

function drawTime(stack, context, top) {
  const [from, to] = stack.view;
  const step = TICK_STEPS.find((size) => (to - from) / size <= stack.width / TICK_PIXELS) ?? 30;
  context.fillStyle = stack.soft;
  context.strokeStyle = stack.line;
  context.textAlign = "center";
  for (let at = Math.ceil(from / step) * step; at <= to + 1e-9; at += step) {
    const x = stack.x(at);
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + 4);
    context.stroke();
    const edge = GUTTER + stack.width - 12;
    context.fillText(`${+at.toFixed(2)} s`, Math.min(x, edge), top + 13);
  }
}

const ROWS = { waveform: drawWaveform, mel: drawMel, tokens: drawTokens, bits: drawBits };
