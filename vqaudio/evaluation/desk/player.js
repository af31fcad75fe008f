// One playhead over several takes of a sound, by Web Audio. Whatever plays on the page, only one player sounds at a time.

const FADE_SECONDS = 0.012; // between two takes: too short to hear, long enough not to click
const AHEAD_SECONDS = 0.01;
const HELD_SECONDS = 0.45; // how long a token that is held sounds
const GRAIN_SECONDS = 0.06;
const MOST_GAIN = 4;
const QUIET = 1e-4;

class Player {
  static sounding = null;
  static #context = null;

  static get context() {
    Player.#context ??= new AudioContext();
    return Player.#context;
  }

  // changed(): is called whenever what plays, or where, is another.
  constructor(changed) {
    this.changed = changed;
    this.takes = new Map(); // key -> {buffer, gain}
    this.current = null;
    this.selection = null; // [from, to] in seconds: what is played over and over
    this.at = 0; // seconds, while nothing plays
    this.voice = null;
  }

  // Fetch and decode a take; with a reference, it is played as loud as that one.
  async load(key, url, { reference = null } = {}) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`the sound could not be fetched (${answer.status})`);
    const buffer = await Player.context.decodeAudioData(await answer.arrayBuffer());
    const known = reference === null ? null : this.takes.get(reference);
    this.takes.set(key, { buffer, gain: known ? matchingGain(buffer, known.buffer) : 1 });
    return buffer;
  }

  remove(key) {
    if (key === this.current) {
      this.pause();
      this.current = null;
    }
    this.takes.delete(key);
  }

  get buffer() {
    return this.takes.get(this.current)?.buffer ?? null;
  }

  get duration() {
    return this.buffer?.duration ?? 0;
  }

  get playing() {
    return this.voice !== null;
  }

  get position() {
    if (!this.playing) return Math.min(this.at, this.duration);
    return Math.min(Math.max(0, Player.context.currentTime - this.voice.began), this.duration);
  }

  play() {
    if (!this.buffer || this.playing) return;
    if (Player.sounding !== this) Player.sounding?.pause();
    Player.sounding = this;
    Player.context.resume();
    if (this.position >= this.duration - 0.02) this.at = 0;
    if (this.selection && (this.at < this.selection[0] || this.at >= this.selection[1])) this.at = this.selection[0];
    this.#start(this.at);
    this.changed();
  }

  pause() {
    if (!this.playing) return;
    this.at = this.position;
    this.#silence();
    if (Player.sounding === this) Player.sounding = null;
    this.changed();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  // Go on at the same place in another take, without a gap.
  switchTo(key) {
    if (!this.takes.has(key) || key === this.current) return;
    const at = this.position;
    const playing = this.playing;
    if (playing) this.#silence();
    this.current = key;
    this.at = Math.min(at, this.duration);
    if (playing) this.#start(this.at);
    this.changed();
  }

  seek(seconds) {
    const at = Math.min(Math.max(0, seconds), this.duration);
    const playing = this.playing;
    if (playing) this.#silence();
    this.at = at;
    if (playing) this.#start(at);
    this.changed();
  }

  // To be called at every picture: turns back where a selection ends.
  turn() {
    if (this.playing && this.selection && this.position >= this.selection[1]) this.seek(this.selection[0]);
  }

  // The sound of one moment, held: the same few hundredths of a second over and over.
  hold(seconds) {
    const { buffer, gain } = this.takes.get(this.current) ?? {};
    if (!buffer) return;
    this.pause();
    Player.sounding?.pause();
    const context = Player.context;
    context.resume();
    const size = Math.round(GRAIN_SECONDS * buffer.sampleRate);
    const first = Math.max(0, Math.min(buffer.length - size, Math.round(seconds * buffer.sampleRate - size / 2)));
    const samples = buffer.getChannelData(0).subarray(first, first + size);
    const held = context.createBuffer(1, Math.round(HELD_SECONDS * buffer.sampleRate), buffer.sampleRate);
    overlapGrains(samples, held.getChannelData(0));
    const source = context.createBufferSource();
    const loudness = context.createGain();
    source.buffer = held;
    loudness.gain.value = gain;
    source.connect(loudness).connect(context.destination);
    source.start();
  }

  #start(at) {
    const context = Player.context;
    const { buffer, gain } = this.takes.get(this.current);
    const source = context.createBufferSource();
    const loudness = context.createGain();
    const when = context.currentTime + AHEAD_SECONDS;
    loudness.gain.setValueAtTime(0, when);
    loudness.gain.linearRampToValueAtTime(gain, when + FADE_SECONDS);
    source.buffer = buffer;
    source.connect(loudness).connect(context.destination);
    source.start(when, at);
    const voice = { source, loudness, began: when - at };
    source.onended = () => {
      if (this.voice !== voice) return;
      this.voice = null;
      this.at = this.duration;
      if (Player.sounding === this) Player.sounding = null;
      this.changed();
    };
    this.voice = voice;
  }

  #silence() {
    const { source, loudness } = this.voice;
    const now = Player.context.currentTime;
    loudness.gain.cancelScheduledValues(now);
    loudness.gain.setValueAtTime(loudness.gain.value, now);
    loudness.gain.linearRampToValueAtTime(0, now + AHEAD_SECONDS + FADE_SECONDS);
    source.stop(now + AHEAD_SECONDS + FADE_SECONDS);
    this.voice = null;
  }
}

// What a take is to be multiplied by to be as loud as another, by their RMS.
function matchingGain(buffer, reference) {
  const [own, wanted] = [rms(buffer), rms(reference)];
  return own < QUIET || wanted < QUIET ? 1 : Math.min(MOST_GAIN, wanted / own);
}

function rms(buffer) {
  const samples = buffer.getChannelData(0);
  let sum = 0;
  for (const value of samples) sum += value * value;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

// Fill a long buffer with copies of a short one that fade into each other, and fade the whole in and out.
function overlapGrains(samples, target) {
  const step = Math.floor(samples.length / 2);
  for (let start = 0; start + samples.length <= target.length; start += step) {
    for (let index = 0; index < samples.length; index++) {
      target[start + index] += samples[index] * (0.5 - 0.5 * Math.cos((2 * Math.PI * index) / samples.length));
    }
  }
  const edge = Math.min(step, Math.floor(target.length / 4));
  for (let index = 0; index < edge; index++) {
    target[index] *= index / edge;
    target[target.length - 1 - index] *= index / edge;
  }
}
