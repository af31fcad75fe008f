// A blind test of two takes: X is one of them, drawn by chance, and the listener says which (ABX; Clark, 1982).

class BlindTest {
  constructor(first, second) {
    this.keys = { A: first, B: second };
    this.right = 0;
    this.trials = 0;
    this.#draw();
  }

  #draw() {
    this.answer = Math.random() < 0.5 ? "A" : "B";
    this.keys.X = this.keys[this.answer];
  }

  // Whether X was what the listener says; another X comes after it.
  guess(letter) {
    const right = letter === this.answer;
    this.trials += 1;
    if (right) this.right += 1;
    this.#draw();
    return right;
  }

  // How likely it is to get as many right, or more, by tossing a coin.
  get chance() {
    let sum = 0;
    for (let count = this.right; count <= this.trials; count++) sum += binomial(this.trials, count);
    return sum / 2 ** this.trials;
  }
}

function binomial(total, chosen) {
  let value = 1;
  for (let index = 1; index <= chosen; index++) value = (value * (total - chosen + index)) / index;
  return value;
}
