/* How the button and its dialog look, and what they are made of. */
const STYLE = `
  :host { display: inline-block; font-family: var(--vestiary-font, system-ui, sans-serif);
    --accent: var(--vestiary-accent, #1d4ed8); --on-accent: var(--vestiary-on-accent, #fff);
    --surface: var(--vestiary-surface, light-dark(#fff, #18181b));
    --focus: var(--vestiary-focus, light-dark(#1d4ed8, #93c5fd));
    --text: var(--vestiary-text, light-dark(#18181b, #f4f4f5)); --radius: var(--vestiary-radius, 12px); }
  [hidden] { display: none !important; }
  button { font: inherit; min-height: 44px; padding: 0 18px; border-radius: var(--radius); cursor: pointer;
    border: 1px solid currentColor; background: none; color: inherit; }
  .primary { background: var(--accent); color: var(--on-accent); border-color: transparent; font-weight: 600; }
  button:focus-visible, input:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
  button:disabled { opacity: 0.6; cursor: default; }
  dialog { border: 0; padding: 20px; width: min(92vw, 460px); max-height: 94dvh; box-sizing: border-box;
    overflow: auto; border-radius: var(--radius); background: var(--surface); color: var(--text); line-height: 1.45; }
  dialog::backdrop { background: rgb(0 0 0 / 0.55); }
  header { display: flex; justify-content: space-between; align-items: center; gap: 12px; margin-bottom: 12px; }
  h2 { font-size: 1.2rem; margin: 0; }
  .close { border: 0; padding: 0; width: 44px; font-size: 1.5rem; }
  .row { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 14px; }
  .row > * { flex: 1 1 auto; }
  .small { font-size: 0.85rem; margin: 12px 0 0; }
  .error { border-left: 4px solid #dc2626; padding: 6px 12px; margin: 0 0 12px; }
  .error p, #tips { margin: 0; }
  .unseen { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
  .pair { position: relative; }
  .pair img, video { display: block; width: 100%; max-height: 62dvh; object-fit: contain; border-radius: var(--radius);
    background: light-dark(#eee, #27272a); }
  .pair .after { position: absolute; inset: 0; height: 100%; clip-path: inset(0 calc(100% - var(--share, 100%)) 0 0); }
  input[type=range] { width: 100%; min-height: 32px; margin: 8px 0 0; accent-color: var(--accent); }
  progress { width: 100%; accent-color: var(--accent); }`;

const HTML = `
  <button part="button" id="open" class="primary" aria-haspopup="dialog"><slot></slot></button>
  <dialog part="dialog" aria-labelledby="title">
    <header><h2 id="title"></h2><button id="close" class="close" part="close">×</button></header>
    <div id="error" class="error" role="alert" hidden><p id="message"></p><p id="hint"></p></div>
    <p id="status" role="status" class="unseen"></p>
    <section data-state="choose">
      <p id="tips"></p>
      <div class="row">
        <button id="choose" class="primary" part="primary"></button><button id="take" part="secondary"></button>
        <input id="file" type="file" accept="image/*" hidden>
        <input id="shot" type="file" accept="image/*" capture="user" hidden>
      </div>
      <p id="consent" class="small"></p>
    </section>
    <section data-state="camera">
      <video id="video" playsinline muted></video>
      <div class="row">
        <button id="shoot" class="primary" part="primary"></button><button id="back" part="secondary"></button>
      </div>
    </section>
    <section data-state="work"><p id="doing" aria-hidden="true"></p><progress id="progress"></progress></section>
    <section data-state="result">
      <div class="pair"><img id="before" part="picture"><img id="after" class="after" part="picture"></div>
      <input id="slider" part="slider" type="range" min="0" max="100" value="100">
      <div class="row">
        <button id="save" class="primary" part="primary"></button><button id="another" part="secondary"></button>
      </div>
    </section>
    <div class="row">
      <button id="again" part="secondary" hidden></button><button id="remove" part="secondary" hidden></button>
    </div>
  </dialog>`;
