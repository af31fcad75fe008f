// The listening desk: takes of a sound on a rail, one transport for all of them, a blind test, and the stack below.
//
// data: {id, title, empty, takes: [{key, name, note, group, bytes, sound, picture, download, facts}], waiting: [name],
//        selected, reference, model}
// sound and picture are addresses; facts are [name, figure]; group is "original", "own" or "peer". Takes that last as long
// as each other are switched between in place; others begin anew.

class Desk {
  static desks = new Set();

  // asks: functions {stop, measure, token} for what only a server can do, where there is one; token(codes, model) gives
  // the address of the sound of one frame's codes.
  constructor(root, asks = {}) {
    this.root = root;
    this.asks = asks;
    this.data = null;
    this.pictures = new Map();
    this.loading = new Set(); // addresses of sounds
    this.test = null;
    this.#build();
    this.player = new Player(() => this.#update());
    this.stack = new Stack(this.parts.canvas, this.parts.head, {
      seek: (seconds) => this.player.seek(seconds),
      hold: (seconds, share) => this.#hold(seconds, share),
      select: (range) => this.select(range),
      hover: (text) => (this.parts.readout.textContent = text),
    });
    Desk.desks.add(this);
    listenToKeys();
    this.show(null);
  }

  // Show other data: takes that are there already stay as they are, also while they play.
  async show(data) {
    const other = data?.id !== this.data?.id;
    this.data = data;
    if (other) this.#reset();
    this.root.classList.toggle("empty", !data?.takes?.length && !data?.waiting?.length);
    this.parts.empty.textContent = data?.empty ?? "";
    this.parts.old.textContent = "";
    for (const key of [...this.player.takes.keys()]) if (!this.#take(key)) this.player.remove(key);
    this.#rail();
    this.#headline();
    if (data?.takes) await this.#load(data);
  }

  #reset() {
    this.player.pause();
    this.player.takes.clear();
    this.player.current = null;
    this.player.at = 0;
    this.pictures.clear();
    this.#endTest();
    this.select(null);
    this.stack.show(null, null);
    this.parts.failure.textContent = "";
  }

  // Sounds one after the other, the original's and the selected one's first.
  async #load(data) {
    const wanted = data.selected ?? data.takes[0]?.key;
    const reference = data.reference ?? null;
    const first = (take) => (take.key === reference ? 0 : take.key === wanted ? 1 : 2);
    for (const take of [...data.takes].sort((a, b) => first(a) - first(b))) {
      if (this.player.takes.get(take.key)?.url === take.sound || this.loading.has(take.sound)) continue;
      this.loading.add(take.sound);
      try {
        await this.player.load(take.key, take.sound, { reference: take.key === reference ? null : reference });
      } catch (error) {
        if (this.data?.id === data.id) this.parts.failure.textContent = `${take.name}: ${error.message}`;
        continue;
      } finally {
        this.loading.delete(take.sound);
      }
      if (this.data?.id !== data.id) {
        if (this.#take(take.key)?.sound !== take.sound) this.player.remove(take.key);
        return;
      }
      this.player.takes.get(take.key).url = take.sound;
      if (this.player.current === null && (take.key === wanted || !data.takes.some(({ key }) => key === wanted)))
        this.choose(take.key);
      this.#rail();
      this.#headline();
    }
  }

  #take(key) {
    return this.data?.takes?.find((take) => take.key === key) ?? null;
  }

  get current() {
    return this.#take(this.player.current);
  }

  // Listen to a take from now on.
  async choose(key) {
    if (!this.player.takes.has(key)) return;
    const before = this.player.duration;
    const alike = Math.abs(before - this.player.takes.get(key).buffer.duration) < 0.1;
    if (!alike && before) {
      this.player.pause();
      this.player.at = 0;
      this.select(null);
    }
    this.player.switchTo(key);
    this.#rail();
    this.#headline();
    const take = this.#take(key);
    const picture = await this.#picture(take);
    if (this.player.current === key) this.stack.show(this.player.buffer, picture);
    this.#alternative(take, picture);
    this.#update();
  }

  async #picture(take) {
    if (!take?.picture) return null;
    if (!this.pictures.has(take.picture)) {
      const found = fetch(take.picture).then((answer) => answer.json());
      this.pictures.set(take.picture, found.then(unpacked).catch(() => null));
    }
    return this.pictures.get(take.picture);
  }

  // ------------------------------------------------------------------------------------------------------------- page

  #build() {
    this.root.classList.add("vqdesk");
    this.root.innerHTML = DESK_MARKUP;
    const find = (name) => this.root.querySelector(name);
    this.parts = {
      empty: find(".empty-note"),
      headline: find(".headline"),
      play: find(".play"),
      seek: find(".seek"),
      time: find(".time"),
      rail: find(".rail"),
      test: find("[data-does=test]"),
      stop: find("[data-does=stop]"),
      measure: find("[data-does=measure]"),
      old: find(".old"),
      download: find(".download"),
      blind: find(".blind"),
      facts: find(".facts-line"),
      failure: find(".failure"),
      canvas: find("canvas"),
      head: find(".head"),
      hold: find("[data-does=hold]"),
      unselect: find("[data-does=unselect]"),
      readout: find(".readout"),
    };
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.does) this.do(button.dataset.does);
      else if (button?.dataset.take) this.choose(button.dataset.take);
      else if (button?.dataset.letter) this.hear(button.dataset.letter);
      else if (button?.dataset.guess) this.#guess(button.dataset.guess);
    });
    this.parts.seek.addEventListener("input", () => this.player.seek(Number(this.parts.seek.value)));
  }

  do(what) {
    const places = { closer: 2, wider: 0.5 };
    if (what === "toggle") this.player.toggle();
    else if (what === "test") this.test ? this.#endTest() : this.#beginTest();
    else if (what in places) this.stack.zoom(places[what], this.player.position);
    else if (what === "whole") this.stack.whole();
    else if (what === "hold") this.#hold(this.player.position);
    else if (what === "unselect") this.select(null);
    else this.asks[what]?.();
    this.#update();
  }

  // Hear a token: decoded over and over by itself, with those of the codebooks above it, or else as its moment of the take.
  async #hold(seconds, share = 1) {
    const { tokens } = this.stack.picture;
    if (!this.asks.token || !this.data.model) return this.player.hold(seconds);
    const { book, column } = this.stack.tokenAt(seconds, share);
    const codes = tokens.codes.slice(0, book).map((_, index) => codeAt(tokens, index, column));
    this.player.pause();
    return vqaudioPlay(await this.asks.token(codes, this.data.model));
  }

  select(range) {
    this.player.selection = range;
    this.stack.selection = range;
    this.parts.unselect.hidden = range === null;
    if (range && !this.player.playing) this.player.at = range[0];
    this.stack.draw();
    this.#update();
  }

  #rail() {
    const ready = new Set(this.player.takes.keys());
    const markup = railMarkup(this.data, { ready, chosen: this.test ? null : this.player.current, blind: Boolean(this.test) });
    if (markup === this.railMarkup) return;
    const focused = this.parts.rail.contains(document.activeElement) ? document.activeElement.dataset.take : null;
    this.railMarkup = this.parts.rail.innerHTML = markup;
    if (focused) this.parts.rail.querySelector(`[data-take="${CSS.escape(focused)}"]`)?.focus();
  }

  #headline() {
    const take = this.test ? null : this.current;
    const first = this.#take(this.data?.reference);
    this.parts.headline.innerHTML = headlineMarkup(this.data, take, first);
    const facts = take?.facts ?? [];
    this.parts.facts.innerHTML = factsMarkup(facts);
    this.parts.download.hidden = !take?.download;
    if (take?.download) {
      this.parts.download.href = take.download;
      this.parts.download.textContent = `Download the ${take.file?.match(/[.][^.]+$/)?.[0] ?? ""} file`;
      this.parts.download.download = take.file ?? "";
    }
    this.parts.stop.hidden = !this.asks.stop || !this.data?.waiting?.length;
    this.parts.measure.hidden = !this.asks.measure || !first || !take || take === first || facts.some(([name]) => name === "STOI");
    const able = (this.data?.takes ?? []).filter(({ key }) => this.player.takes.has(key)).length > 1;
    this.parts.test.hidden = !able || !first;
    this.parts.test.textContent = this.test ? "End the blind test" : "Blind test";
  }

  #alternative(take, picture) {
    this.parts.canvas.setAttribute("aria-label", alternativeText(take, picture, this.player.duration));
    this.parts.hold.hidden = !picture?.tokens;
  }

  #update() {
    const { player, parts } = this;
    parts.play.textContent = player.playing ? "Pause" : "Play";
    parts.play.disabled = !player.buffer;
    parts.seek.max = player.duration.toFixed(2);
    this.#move();
    if (player.playing && !this.moving) {
      const step = () => {
        player.turn();
        this.#move();
        this.moving = player.playing ? requestAnimationFrame(step) : null;
      };
      this.moving = requestAnimationFrame(step);
    }
  }

  #move() {
    const at = this.player.position;
    this.parts.seek.value = at;
    this.parts.time.textContent = `${at.toFixed(1)} / ${this.player.duration.toFixed(1)} s`;
    this.stack.follow(at, this.player.playing);
  }

  // ------------------------------------------------------------------------------------------------------ blind test

  #beginTest() {
    const reference = this.data.reference;
    const other = this.player.current === reference ? this.data.takes.find(({ key, group }) => group === "own" && key !== reference) : this.current;
    if (!other || !this.player.takes.has(other.key)) return;
    this.test = new BlindTest(reference, other.key);
    this.testNames = [this.#take(reference).name, other.name];
    this.#hide(true);
    this.hear("X");
  }

  #endTest() {
    if (!this.test) return;
    this.test = null;
    this.#hide(false);
    if (this.player.current) this.choose(this.player.current);
  }

  // Nothing that is seen may tell what X is.
  #hide(hidden) {
    this.parts.blind.hidden = !hidden;
    this.root.classList.toggle("blindfold", hidden);
  }

  hear(letter) {
    this.letter = letter;
    this.choose(this.test.keys[letter]);
    this.player.play();
    this.#blindPage();
  }

  #guess(letter) {
    const right = this.test.guess(letter);
    this.said = right ? "Right." : "Wrong.";
    this.hear("X");
  }

  #blindPage() {
    this.parts.blind.innerHTML = blindMarkup(this.test, { names: this.testNames, letter: this.letter, said: this.said });
  }
}

globalThis.vqaudioDesk = (root, asks) => new Desk(root, asks);

// Stop what sounds in a desk that is not in sight any more.
globalThis.vqaudioHush = () => {
  for (const { root, player } of Desk.desks) if (!root.checkVisibility()) player.pause();
};

// Play a sound at an address once, in place of whatever sounds.
globalThis.vqaudioPlay = (url) => {
  if (!url) return; // the server could not make it
  Player.sounding?.pause();
  const audio = new Audio(url);
  Player.sounding = audio;
  audio.addEventListener("ended", () => {
    if (Player.sounding === audio) Player.sounding = null;
  });
  return audio.play();
};
