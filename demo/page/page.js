// What the page does as a whole: desks as elements of Gradio's, tabs with addresses, results that are out of date.

(() => {
  "use strict";

  const SETTLED = 400; // ms

  // A desk whose data come from the server.
  globalThis.vqaudioListening = ({ element, trigger, props, server, watch, events }) => {
    const asks = { token: (codes, model) => server.token({ codes, model }) };
    for (const name of events) asks[name] = () => trigger(name, { take: desk.player.current });
    const desk = vqaudioDesk(element.querySelector(".place"), asks);
    const show = () => desk.show(props.value);
    watch("value", show);
    show();
  };

  // The tab's name in the address, so that it can be linked to.
  globalThis.vqaudioTab = (name) => {
    const address = new URL(location.href);
    address.searchParams.set("tab", name);
    history.replaceState(null, "", address);
  };

  // Say of a result that what it was made from has changed.
  globalThis.vqaudioOld = (id, sentence) => {
    const place = document.querySelector(`#${id} .vqdesk`);
    if (place && !place.classList.contains("empty")) place.querySelector(".old").textContent = sentence;
  };

  // Gradio names its places for uploads otherwise than what they read, which who speaks to a page cannot know (WCAG 2.5.3).
  new MutationObserver(() => {
    for (const place of document.querySelectorAll("button.upload-container[aria-label]")) place.removeAttribute("aria-label");
  }).observe(document.documentElement, { childList: true, subtree: true });

  // Stop what plays when its tab is left.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[role=tab]")) setTimeout(() => vqaudioHush(), SETTLED);
  });
})();
