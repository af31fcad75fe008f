// The bar above the tabs. It brings one file at a time: chosen, dropped anywhere on the page, or recorded.

(() => {
  "use strict";

  globalThis.vqaudioBar = ({ element, trigger, props, upload, watch }) => {
    const root = element.querySelector(".place");
    root.innerHTML = `
      <p class="chosen"><span class="what">Recording</span> <strong></strong> <span class="note"></span>
        <span class="state" role="status"></span></p>
      <div class="ways">
        <button type="button" class="bring">Upload</button>
        <button type="button" class="record">Record</button>
        <input type="file" class="file" aria-label="Sound or .vq file" accept="audio/*,video/*,.vq,.opus,.flac" tabindex="-1">
        <span class="or">or</span><span class="examples"></span>
      </div>`;
    const [title, note, state] = [".chosen strong", ".note", ".state"].map((name) => root.querySelector(name));
    const [bring, record, file] = [".bring", ".record", ".file"].map((name) => root.querySelector(name));
    const examples = root.querySelector(".examples");

    const show = () => {
      const { title: name, note: more, examples: names } = props.value;
      title.textContent = name;
      note.textContent = more;
      state.textContent = "";
      examples.replaceChildren(
        ...names.map((example, number) => {
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = example;
          button.setAttribute("aria-pressed", String(example === name));
          button.addEventListener("click", () => trigger("picked", { number }));
          return button;
        }),
      );
    };

    const send = async (chosen) => {
      state.textContent = "is being uploaded";
      try {
        const { path } = await upload(chosen);
        trigger("brought", { path, name: chosen.name });
      } catch (error) {
        trigger("refused", { reason: `${chosen.name}: could not be uploaded (${error.message ?? error})` });
      }
      state.textContent = "";
      file.value = "";
    };

    bring.addEventListener("click", () => file.click());
    file.addEventListener("change", () => file.files.length && send(file.files[0]));
    document.addEventListener("dragover", (event) => {
      if ([...event.dataTransfer.types].includes("Files")) event.preventDefault();
    });
    document.addEventListener("drop", (event) => {
      if (event.defaultPrevented || !event.dataTransfer.files.length) return; // an element of the page took it
      event.preventDefault();
      send(event.dataTransfer.files[0]);
    });

    // ------------------------------------------------------------------------------------------------------ microphone

    let recorder = null;
    record.addEventListener("click", async () => {
      if (recorder) return recorder.stop();
      let stream;
      try {
        stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      } catch (error) {
        return trigger("refused", { reason: `The microphone cannot be used here (${error.message})` });
      }
      const parts = [];
      recorder = new MediaRecorder(stream);
      recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
      const begun = Date.now();
      const clock = setInterval(() => {
        const seconds = (Date.now() - begun) / 1000;
        record.textContent = `Stop recording, ${seconds.toFixed(0)} s`;
        if (seconds >= props.most_seconds - 1) recorder?.stop();
      }, 250);
      recorder.addEventListener("stop", () => {
        clearInterval(clock);
        stream.getTracks().forEach((track) => track.stop());
        record.textContent = "Record";
        const kind = recorder.mimeType || "audio/webm";
        recorder = null;
        const suffix = kind.includes("mp4") ? "m4a" : kind.includes("ogg") ? "ogg" : "webm";
        send(new File(parts, `recording.${suffix}`, { type: kind }));
      });
      recorder.start();
      record.textContent = "Stop recording, 0 s";
    });

    watch("value", show);
    show();
  };
})();
