// Waveform, mel spectrogram, tokens and bits of a take, on one time axis: a canvas, drawn anew whenever something changes.

const AXIS = 22; // pixels below, for seconds
const GAP = 8;
const LEAST_VIEW = 0.05; // seconds
const ROW_HEIGHTS = { waveform: 72, mel: 132, token: 13, bits: 56 };

class Stack {
  // told: functions {seek(s), select(range), hold(s, share), hover(text)} for what a pointer does; share is the height among
  // the tokens, 0 at the top.
  constructor(canvas, head, told) {
    this.canvas = canvas;
    this.head = head; // the line at the playhead
    this.told = told;
    this.buffer = this.picture = this.peaks = null;
    this.view = [0, 1];
    this.selection = null;
    this.images = {};
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    for (const place of [document.documentElement, document.body]) // which say whether the page is dark
      new MutationObserver(() => this.recolour()).observe(place, { attributes: true, attributeFilter: ["class"] });
    this.#listen();
  }

  show(buffer, picture) {
    const duration = buffer?.duration ?? 0;
    if (!this.buffer || Math.abs(this.buffer.duration - duration) > 0.05) this.view = [0, Math.max(duration, LEAST_VIEW)];
    this.buffer = buffer;
    this.picture = picture;
    this.peaks = buffer ? peaksOf(buffer) : null;
    this.recolour();
  }

  recolour() {
    this.images = {};
    this.draw();
  }

  get rows() {
    const { mel, tokens } = this.picture ?? {};
    const rows = [{ name: "waveform", height: ROW_HEIGHTS.waveform }];
    if (mel) rows.push({ name: "mel", height: ROW_HEIGHTS.mel });
    if (tokens) rows.push({ name: "tokens", height: Math.max(30, ROW_HEIGHTS.token * tokens.codes.length) });
    if (tokens?.bits) rows.push({ name: "bits", height: ROW_HEIGHTS.bits });
    let top = 0;
    for (const row of rows) {
      row.top = top;
      top += row.height + GAP;
    }
    return rows;
  }

  // ---------------------------------------------------------------------------------------------------------- places

  get width() {
    return Math.max(40, this.canvas.parentElement.clientWidth - GUTTER);
  }

  x(seconds) {
    const [from, to] = this.view;
    return GUTTER + ((seconds - from) / (to - from)) * this.width;
  }

  seconds(x) {
    const [from, to] = this.view;
    return from + ((x - GUTTER) / this.width) * (to - from);
  }

  zoom(factor, around = null) {
    const [from, to] = this.view;
    const centre = around ?? (from + to) / 2;
    const size = Math.max(LEAST_VIEW, (to - from) / factor);
    const share = (centre - from) / (to - from);
    this.lookAt([centre - share * size, centre + (1 - share) * size]);
  }

  lookAt([from, to]) {
    const whole = Math.max(this.buffer?.duration ?? 0, LEAST_VIEW);
    const size = Math.min(to - from, whole);
    const start = Math.min(Math.max(0, from), whole - size);
    this.view = [start, start + size];
    this.draw();
  }

  whole() {
    this.lookAt([0, Infinity]);
  }

  // Keep the playhead within what is shown, and move its line there.
  follow(position, playing) {
    const [from, to] = this.view;
    if (playing && (position > to || position < from)) this.lookAt([position, position + to - from]);
    const x = this.x(position);
    this.head.style.transform = `translateX(${x}px)`;
    this.head.hidden = !this.buffer || x < GUTTER - 1 || x > GUTTER + this.width + 1;
  }

  // -------------------------------------------------------------------------------------------------------- pictures

  draw() {
    const rows = this.rows;
    const last = rows[rows.length - 1];
    const [width, height] = [GUTTER + this.width, last.top + last.height + AXIS];
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    this.soft = style.getPropertyValue("--soft").trim();
    this.line = style.getPropertyValue("--line").trim();
    this.tile = style.getPropertyValue("--tile").trim();
    this.accent = style.getPropertyValue("--accent").trim();
    this.marked = style.getPropertyValue("--marked").trim();
    this.ramp = rampOf(style.getPropertyValue("--ramp"));
    context.font = `12px ${style.fontFamily}`;
    context.textBaseline = "middle";
    if (!this.buffer) return;
    for (const row of rows) {
      context.fillStyle = this.tile;
      context.fillRect(GUTTER, row.top, this.width, row.height);
      context.save();
      context.beginPath();
      context.rect(GUTTER, row.top, this.width, row.height);
      context.clip();
      ROWS[row.name](this, context, row);
      context.restore();
      drawLabel(this, context, row);
    }
    drawTime(this, context, last.top + last.height);
    if (this.selection) {
      const [from, to] = this.selection.map((at) => Math.min(Math.max(GUTTER, this.x(at)), GUTTER + this.width));
      context.fillStyle = this.marked;
      context.fillRect(from, 0, Math.max(1, to - from), last.top + last.height);
    }
  }

  // --------------------------------------------------------------------------------------------------------- pointer

  // What stands under a place of the canvas: its time, and what the row shows there.
  under(x, y) {
    const seconds = this.seconds(x);
    const row = this.rows.find(({ top, height }) => y >= top && y < top + height);
    const duration = this.buffer?.duration ?? 0;
    if (!row || seconds < 0 || seconds > duration) return null;
    return { seconds, row: row.name, share: (y - row.top) / row.height };
  }

  tokenAt(seconds, share) {
    const { codes, seconds: step, start, columns } = this.picture.tokens;
    const book = Math.min(codes.length - 1, Math.max(0, Math.floor(share * codes.length)));
    const column = Math.min(columns - 1, Math.max(0, Math.floor((seconds - start) / step)));
    return { book: book + 1, column, code: codeAt(this.picture.tokens, book, column) };
  }

  // In words, for whoever points there.
  describe({ seconds, row, share }) {
    const time = `${seconds.toFixed(2)} s`;
    if (row === "mel") return `${time} · ${hertzAt(1 - share, this.picture.mel.top)}`;
    if (row === "tokens") {
      const { book, code } = this.tokenAt(seconds, share);
      return `${time} · codebook ${book}: token ${code}`;
    }
    if (row === "bits") {
      const { bits, seconds: step, start } = this.picture.tokens;
      const value = bits[Math.min(bits.length - 1, Math.max(0, Math.floor((seconds - start) / step)))];
      return `${time} · ${value.toFixed(1)} bits per token`;
    }
    return time;
  }

  #listen() {
    let begun = null;
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      begun = { x: place(event)[0], moved: false };
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      const found = this.under(x, y);
      this.told.hover(found ? this.describe(found) : "");
      if (!begun || (!begun.moved && Math.abs(x - begun.x) < 5)) return;
      begun.moved = true;
      const ends = [begun.x, x].map((at) => this.seconds(at)).sort((a, b) => a - b);
      this.selection = [Math.max(0, ends[0]), Math.min(this.buffer?.duration ?? 0, ends[1])];
      this.draw();
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const found = this.under(...place(event));
      if (begun?.moved) this.told.select(this.selection);
      else if (begun && found) {
        this.told.seek(found.seconds);
        if (found.row === "tokens") this.told.hold(found.seconds, found.share);
      }
      begun = null;
    });
    this.canvas.addEventListener("pointercancel", () => (begun = null));
    this.canvas.addEventListener("pointerleave", () => this.told.hover(""));
    this.canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return; // the page scrolls
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 200), this.seconds(place(event)[0]));
      },
      { passive: false },
    );
  }
}
