// Keys for whichever desk is in use.

const SEEK_SECONDS = 1;
const WRITING = "input:not([type=range]), textarea, select, [contenteditable], [role=listbox], [role=combobox]";
let listening = false;

function listenToKeys() {
  if (listening) return;
  listening = true;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(WRITING)) return;
    const desk = deskInUse(event.target);
    if (desk && pressed(desk, event.key, event.target)) event.preventDefault();
  });
  document.addEventListener("play", () => Player.sounding?.pause(), true); // of other players on the page
}

// The one that has the focus, that sounds, or that is in sight.
function deskInUse(target) {
  const shown = [...Desk.desks].filter(({ root, data }) => data?.takes?.length && root.isConnected && root.checkVisibility());
  return (
    shown.find(({ root }) => root.contains(target)) ??
    shown.find(({ player }) => player.playing) ??
    shown.find(({ root }) => inSight(root))
  );
}

// Do what a key stands for; whether it stands for something.
function pressed(desk, key, target) {
  const { player, test } = desk;
  const onControl = target.closest?.("button, a, [role=tab], [role=button], summary");
  const onChosen = target.closest?.(".rail [aria-pressed=true]");
  if (key === " " && (!onControl || onChosen)) player.toggle();
  else if (/^[1-9]$/.test(key) && !test) desk.choose(desk.data.takes[Number(key) - 1]?.key);
  else if (/^arrow(left|right)$/i.test(key) && !target.closest?.("[role=tab], input[type=range]"))
    player.seek(player.position + (key === "ArrowLeft" ? -SEEK_SECONDS : SEEK_SECONDS));
  else if (key === "Escape" && player.selection) desk.select(null);
  else if (key === "+" || key === "-") desk.do(key === "+" ? "closer" : "wider");
  else if (test && /^[abx]$/i.test(key)) desk.hear(key.toUpperCase());
  else return false;
  return true;
}
