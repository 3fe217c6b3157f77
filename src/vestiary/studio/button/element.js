/* <vestiary-try-on garment="picture of the garment" server="https://fit.example" key="key for pages">

   A button for shop pages, in one script tag:  <script src="https://fit.example/button.js" defer></script>
   Attributes: garment (URL that this page may read), server (default: where the script came from), key, engine,
   keep-hours (1), lang ("en", "zh"; default: the page's). Text inside the element replaces the button's own.
   Themes: --vestiary-accent, --vestiary-on-accent, --vestiary-surface, --vestiary-text, --vestiary-radius,
   --vestiary-font; ::part(button), (dialog), (close), (primary), (secondary), (picture), (slider).
   Events: vestiary-fitted {fitting, picture}, vestiary-error {code, message}. */
const ORIGIN = document.currentScript?.src ? new URL(document.currentScript.src).origin : location.origin;
const COUNTDOWN = 5; // seconds until the camera takes the photo

class TryOn extends HTMLElement {
  static observedAttributes = ["garment", "server", "key", "lang", "keep-hours"];

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML = HTML;
    const sheet = new CSSStyleSheet(); // not a <style>: a strict Content-Security-Policy of the shop forbids that
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.at = Object.fromEntries([...root.querySelectorAll("[id]")].map((node) => [node.id, node]));
    this.dialog = root.querySelector("dialog");
    this.listen();
  }

  listen() {
    const on = (id, action, event = "click") => this.at[id].addEventListener(event, action);
    on("open", () => this.open());
    on("close", () => this.dialog.close());
    on("choose", () => this.at.file.click());
    on("take", () => (matchMedia("(pointer: coarse)").matches ? this.at.shot.click() : this.openCamera()));
    for (const id of ["file", "shot"]) on(id, () => this.chosen(this.at[id]), "change");
    on("shoot", () => this.shoot());
    on("back", () => this.show("choose"));
    on("another", () => this.show("choose"));
    on("again", () => this.tryOn());
    on("remove", () => this.remove());
    on("save", () => this.save());
    on("slider", () => this.at.after.style.setProperty("--share", `${this.at.slider.value}%`), "input");
    this.dialog.addEventListener("close", () => {
      if (this.dialog.open) return; // the event comes later than the close: it may be open again
      this.closeCamera();
      this.running?.abort();
    });
  }

  connectedCallback() { this.translate(); }
  disconnectedCallback() { this.dialog.close(); }
  attributeChangedCallback(name) {
    if (["garment", "server", "key"].includes(name)) this.garment = null;
    if (this.isConnected) this.translate();
  }

  get server() { return this.getAttribute("server") || ORIGIN; }
  get hours() { return Number(this.getAttribute("keep-hours")) || 1; }
  get room() { return new FittingRoom(this.server, this.getAttribute("key")); }
  get words() {
    const asked = this.closest("[lang]")?.lang || navigator.language;
    return asked.toLowerCase().startsWith("zh") ? WORDS.zh : WORDS.en;
  }

  translate() {
    const words = this.words;
    for (const part of [this.at.open, this.dialog]) part.lang = words === WORDS.zh ? "zh-CN" : "en"; // the page's may be another
    this.shadowRoot.querySelector("slot").textContent = words.button;
    const named = ["title", "tips", "choose", "take", "shoot", "back", "save", "another", "again", "remove"];
    for (const id of named) this.at[id].textContent = words[id];
    const { host } = new URL(this.server, location.href);
    this.at.consent.textContent = words.consent(host, words.hours(this.hours));
    this.at.close.setAttribute("aria-label", words.close);
    this.at.slider.setAttribute("aria-label", words.slider);
    this.at.progress.setAttribute("aria-label", words.fitting);
    this.at.before.alt = words.before;
    this.at.after.alt = words.after;
  }

  open() {
    this.translate();
    this.at.error.hidden = true;
    this.dialog.showModal();
    if (shopper.get(this.server)) return this.tryOn();
    this.show("choose");
    this.readGarment().catch(() => {}); // while a photo is being chosen; what is wrong is told when it matters
  }

  show(state) {
    if (state !== "camera") this.closeCamera();
    for (const part of this.shadowRoot.querySelectorAll("section")) part.hidden = part.dataset.state !== state;
    this.at.remove.hidden = state === "work" || !shopper.get(this.server);
    this.at.again.hidden = true;
    this.at[{ choose: "choose", camera: "shoot", work: "close", result: "slider" }[state]].focus();
  }

  say(text) { this.at.status.textContent = this.at.doing.textContent = text; }
  tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true })); }

  working(text) {
    this.at.error.hidden = true;
    this.at.progress.removeAttribute("value");
    this.show("work");
    this.say(text);
  }

  fail(error) {
    if (error.name === "AbortError") return;
    if (["not-found", "unauthorized"].includes(error.code)) shopper.forget(this.server); // it expired meanwhile
    const { offline, unreadable, product, camera } = this.words;
    const own = { offline, unreadable, product, camera, ...this.words.problems }[error.code];
    this.show("choose");
    const needsOther = ["unreadable", "camera", "person", "image"].includes(error.code);
    this.at.again.hidden = needsOther || !shopper.get(this.server);
    this.at.message.textContent = own ?? (error.message || error.code);
    this.at.hint.textContent = own ? "" : error.hint ?? "";
    this.at.error.hidden = false;
    this.say("");
    this.tell("vestiary-error", { code: error.code ?? "error", message: this.at.message.textContent });
  }

  /* The garment's id with the service. Its picture is read by this page, so the service fetches no addresses. */
  readGarment() {
    this.garment ??= this.sendGarment().catch((error) => { this.garment = null; throw error; });
    return this.garment;
  }

  async sendGarment() {
    let picture;
    try {
      const answer = await fetch(this.getAttribute("garment"));
      if (!answer.ok) throw new Problem("product");
      picture = await answer.blob();
    } catch { throw new Problem("product"); }
    return (await this.room.add("garments", picture, this.hours)).id;
  }

  async chosen(input) {
    const [file] = input.files;
    if (file) await this.usePhoto(file);
    input.value = ""; // so that the same file can be chosen again
  }

  async usePhoto(file) {
    this.working(this.words.scanning);
    try {
      const photo = await small(file), before = shopper.get(this.server);
      shopper.set(this.server, await this.room.add("people", photo, this.hours));
      if (before) this.room.ask("DELETE", `/v1/people/${before.id}`).catch(() => {}); // else it expires by itself
    } catch (error) { return this.fail(error); }
    if (this.dialog.open) await this.tryOn();
  }

  async tryOn() {
    const person = shopper.get(this.server)?.id;
    if (!person) return this.show("choose");
    this.running?.abort();
    const running = this.running = new AbortController();
    this.working(this.words.fitting);
    const step = ({ step, total }) => { if (total) Object.assign(this.at.progress, { max: total, value: step }); };
    try {
      const garment = await this.readGarment();
      const engine = this.getAttribute("engine");
      const [fitted, before] = await Promise.all([
        this.room.fit(person, garment, engine, this.hours, step, running.signal),
        this.room.picture("people", person),
      ]);
      if (!running.signal.aborted) await this.showResult(fitted, before);
    } catch (error) {
      if (error.code === "not-found") this.garment = null;
      this.fail(error);
    }
  }

  async showResult({ id, picture }, before) {
    for (const [name, blob] of [["before", before], ["after", picture]]) {
      URL.revokeObjectURL(this.at[name].src);
      this.at[name].src = URL.createObjectURL(blob);
    }
    await Promise.all([this.at.before.decode(), this.at.after.decode()]);
    this.at.slider.value = 100;
    this.at.after.style.setProperty("--share", "100%");
    this.show("result");
    this.say(this.words.ready);
    this.tell("vestiary-fitted", { fitting: id, picture });
  }

  save() { Object.assign(document.createElement("a"), { href: this.at.after.src, download: "try-on.webp" }).click(); }

  async remove() {
    const person = shopper.get(this.server)?.id;
    try { if (person) await this.room.ask("DELETE", `/v1/people/${person}`); }
    catch (error) { if (error.code !== "not-found") return this.fail(error); }
    shopper.forget(this.server);
    for (const image of [this.at.before, this.at.after]) {
      URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
    }
    this.at.error.hidden = true;
    this.show("choose");
    this.say(this.words.removed);
  }

  async openCamera() {
    try {
      const wanted = { facingMode: "user", height: { ideal: 1080 } };
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
      this.at.video.srcObject = this.stream;
      await this.at.video.play();
    } catch { return this.fail(new Problem("camera")); }
    this.show("camera");
  }

  closeCamera() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.at.shoot.disabled = false;
    this.at.shoot.textContent = this.words.shoot;
  }

  async shoot() {
    const stream = this.stream;
    this.at.shoot.disabled = true;
    for (let left = COUNTDOWN; left > 0; left--) {
      this.at.shoot.textContent = this.words.count(left);
      await wait(1000);
      if (this.stream !== stream) return; // gone back meanwhile
    }
    await this.usePhoto(await createImageBitmap(this.at.video));
  }
}

if (!customElements.get("vestiary-try-on")) customElements.define("vestiary-try-on", TryOn);
