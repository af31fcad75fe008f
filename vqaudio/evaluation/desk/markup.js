// The desk's markup, from data alone.

const DESK_MARKUP = `
      <p class="empty-note" role="status"></p>
      <div class="headline" aria-live="polite"></div>
      <div class="transport">
        <button type="button" class="play" data-does="toggle">Play</button>
        <input type="range" class="seek" min="0" max="1" step="0.01" value="0" aria-label="Place in the sound, in seconds">
        <output class="time"></output>
      </div>
      <div class="rail" role="group" aria-label="What is played"></div>
      <div class="actions">
        <button type="button" data-does="stop" hidden>Stop</button>
        <button type="button" data-does="test">Blind test</button>
        <button type="button" data-does="measure" hidden>Measure PESQ and STOI</button>
        <a class="download" download hidden>Download</a>
        <span class="hint">Keys: 1 to 9, space, arrows. All takes are as loud as the first.</span>
      </div>
      <div class="blind" role="group" aria-label="Blind test" hidden></div>
      <dl class="facts-line"></dl>
      <p class="old" role="status"></p>
      <p class="failure" role="alert"></p>
      <div class="stack"><canvas role="img"></canvas><div class="head" hidden></div></div>
      <div class="tools">
        <button type="button" data-does="closer" aria-label="Zoom in">+</button>
        <button type="button" data-does="wider" aria-label="Zoom out">−</button>
        <button type="button" data-does="whole">All of it</button>
        <button type="button" data-does="hold">Hear this token</button>
        <button type="button" data-does="unselect" hidden>Play all of it</button>
        <span class="readout"></span>
      </div>`;

// A button for each take, and a place for each that is still being made.
function railMarkup(data, { ready, chosen, blind }) {
  const { takes = [], waiting = [], reference = null } = data ?? {};
  const first = takes.find(({ key }) => key === reference);
  const buttons = takes.map((take, index) => {
    const state = `aria-pressed="${take.key === chosen}" ${ready.has(take.key) && !blind ? "" : "disabled"}`;
    const key = index < 9 ? `<kbd>${index + 1}</kbd>` : "";
    const compared = first && take !== first && take.bytes;
    const lines = [take.bytes ? bytes(take.bytes) : "", compared ? `${times(first.bytes / take.bytes)} smaller` : take.note];
    return `<button type="button" data-take="${escaped(take.key)}" data-group="${take.group}" ${state}>
      <span class="name">${key}${escaped(take.name)}</span>
      ${lines.filter(Boolean).map((line) => `<span class="small">${escaped(line)}</span>`).join("")}</button>`;
  });
  const later = waiting.map(
    (name) => `<button type="button" class="waiting" disabled>
      <span class="name">${escaped(name)}</span><span class="small">being made</span></button>`,
  );
  return [...buttons, ...later].join("");
}

// What a take costs, beside the first one and beside Opus.
function headlineMarkup(data, take, first) {
  const opus = data?.takes?.find(({ group, key }) => group === "peer" && key.startsWith("opus"));
  const parts = [];
  if (take?.bytes) parts.push(`<strong>${bytes(take.bytes)}</strong> ${escaped(take.note)}`);
  if (take?.bytes && first && take !== first)
    parts.push(`<strong>${times(first.bytes / take.bytes)}</strong> smaller than WAV`);
  if (take?.group === "own" && take.bytes && opus) {
    const ratio = opus.bytes / take.bytes;
    parts.push(`<strong>${times(ratio)}</strong> ${ratio >= 1 ? "smaller than" : "the size of"} ${escaped(opus.name)}`);
  }
  const title = data?.title ? `<span class="title">${escaped(data.title)}</span>` : "";
  return title + parts.map((part) => `<span>${part}</span>`).join("");
}

function factsMarkup(facts) {
  return facts.map(([name, figure]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(figure)}</dd></div>`).join("");
}

function blindMarkup(test, { names, letter, said }) {
  const letters = ["A", "B", "X"].map(
    (one) => `<button type="button" data-letter="${one}" aria-pressed="${one === letter}">${one}</button>`,
  );
  const guesses = ["A", "B"].map((one) => `<button type="button" data-guess="${one}">X is ${one}</button>`);
  const score = test.trials
    ? `${said} ${test.right} of ${test.trials} right; by tossing a coin as many or more in ${(100 * test.chance).toFixed(0)} %.`
    : "X is one of them, drawn by chance. Keys: A, B, X.";
  return `<p>A is ${escaped(names[0])}, B is ${escaped(names[1])}. Which one is X?</p>
    <div class="letters">${letters.join("")}${guesses.join("")}</div>
    <p class="score" role="status">${score}</p>`;
}

// What the picture shows, for whoever does not see it.
function alternativeText(take, picture, duration) {
  const { mel, tokens } = picture ?? {};
  const shown = ["waveform", mel && "mel spectrogram", tokens && "tokens", tokens?.bits && "bits per token"];
  const count = tokens?.codes.reduce((sum, own) => sum + own.length, 0);
  const counted = tokens ? `: ${count} tokens of ${tokens.codes.length} codebooks` : "";
  const each = tokens?.bits ? `, ${mean(tokens.bits).toFixed(1)} bits each` : "";
  return `${shown.filter(Boolean).join(", ")} of ${take?.name}, ${duration.toFixed(1)} seconds${counted}${each}`;
}
