// Cards of voices: a face drawn from the speaker's pitch and pace, two seconds to hear, and a choice among them.

(() => {
  "use strict";

  const PITCHES = [80, 260]; // Hz, from the first colour to the last
  const HUES = [190, 330];

  globalThis.vqaudioVoices = ({ element, trigger, props, server, watch }) => {
    const root = element.querySelector(".place");

    const show = () => {
      const { cards, chosen, model } = props.value;
      root.className = "place voices";
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", "Voices");
      root.replaceChildren(...cards.map((card) => cardOf(card, chosen, model)));
    };

    const cardOf = (card, chosen, model) => {
      const place = document.createElement("div");
      place.className = "voice";
      place.append(face(card));
      const choose = document.createElement("button");
      choose.type = "button";
      choose.className = "choose";
      choose.setAttribute("aria-pressed", String(card.speaker === chosen));
      const title = document.createElement("strong");
      title.textContent = card.title;
      const measures = document.createElement("span");
      measures.textContent = card.pitch ? `${card.pitch} Hz, ${card.pace} syllables/s` : "";
      const note = document.createElement("span");
      note.textContent = card.note;
      choose.append(title, measures, note);
      choose.addEventListener("click", () => trigger("picked", { speaker: card.speaker }));
      const hear = document.createElement("button");
      hear.type = "button";
      hear.className = "hear";
      hear.textContent = "▶";
      hear.setAttribute("aria-label", `Hear ${card.title}`);
      hear.addEventListener("click", async () => {
        hear.disabled = true;
        try {
          await vqaudioPlay(await server.preview({ speaker: card.speaker, model }));
        } finally {
          hear.disabled = false;
        }
      });
      place.append(choose, hear);
      return place;
    };

    watch("value", show);
    show();
  };

  // A round face: its colour is the pitch, its mouth is as wide as the pace is quick.
  const face = ({ title, pitch, pace }) => {
    const share = pitch ? Math.min(1, Math.max(0, (pitch - PITCHES[0]) / (PITCHES[1] - PITCHES[0]))) : 0.5;
    const hue = HUES[0] + share * (HUES[1] - HUES[0]);
    const mouth = 5 + 1.5 * (pace ?? 3);
    const place = document.createElement("span");
    place.setAttribute("aria-hidden", "true");
    place.innerHTML = `<svg viewBox="0 0 48 48" width="44" height="44">
      <circle cx="24" cy="24" r="23" fill="hsl(${hue} 45% 78%)"/>
      <circle cx="17" cy="20" r="2.6" fill="#0f172a"/><circle cx="31" cy="20" r="2.6" fill="#0f172a"/>
      <path d="M${24 - mouth} 30 q${mouth} ${4 + 8 * (1 - share)} ${2 * mouth} 0" fill="none" stroke="#0f172a" stroke-width="2.4" stroke-linecap="round"/>
    </svg>`;
    return place;
  };
})();
