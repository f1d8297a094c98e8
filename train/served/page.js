"use strict";
const about = JSON.parse(document.getElementById("about").textContent);
const chosen = document.getElementById("model");
const tabs = [...document.querySelectorAll("[role=tab]")];
const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
const needs = { nearest: "embed" }; // the kind that a panel needs, where it is not its own name

// Everything shown is put in as text: no answer and no question is ever read as HTML.
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}
const sentence = (text, more = "") => make("p", { className: `text ${more}`, dir: "auto" }, text);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const lines = (text) => text.split("\n").filter((line) => line.trim());

function bar(share) {
  const fill = make("span", { className: "fill" });
  fill.style.width = `${Math.min(100, Math.max(0, 100 * share))}%`;
  const track = make("span", { className: "track" }, fill);
  track.setAttribute("aria-hidden", "true");
  return track;
}
function bars(rows, ranked = true) {
  const items = rows.map(([what, share]) =>
    make("li", {}, make("bdi", { className: "what", dir: "auto" }, what), bar(share),
      make("span", { className: "share" }, percent(share))));
  return make("ul", { className: ranked ? "bars ranked" : "bars" }, ...items);
}
// Places count the signs of Unicode, a string of JavaScript its halves.
function withMarks(text, spans) {
  const signs = [...text];
  const parts = [];
  let done = 0;
  for (const { begin, end, label } of spans) {
    parts.push(signs.slice(done, begin).join(""));
    parts.push(make("mark", {}, signs.slice(begin, end).join(""), ...(label ? [make("small", {}, label)] : [])));
    done = end;
  }
  return [...parts, signs.slice(done).join("")];
}
function languageName(label) {
  try {
    const name = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }).of(label.split("_")[0]);
    return name ? `${name} (${label})` : label;
  } catch {
    return label;
  }
}

const show = {
  "fill-mask"(answer) {
    const parts = answer.text.split(answer.mask_token);
    const several = answer.masks.length > 1;
    const text = sentence("");
    parts.forEach((part, place) => {
      text.append(part);
      if (place < parts.length - 1) text.append(make("mark", { className: "gap" }, several ? `${place + 1}` : "?"));
    });
    const words = answer.masks.flatMap((mask, place) => [
      ...(several ? [make("h3", {}, `Mask ${place + 1}`)] : []),
      bars(mask.map((word) => [word.word.trim() || JSON.stringify(word.word), word.probability])),
    ]);
    return [text, ...words];
  },
  classify(answer) {
    const texts = [sentence(answer.text), ...(answer.second === null ? [] : [sentence(answer.second, "second-text")])];
    if (answer.is_score) return [...texts, make("p", {}, `${answer.label}: ${answer.probabilities[answer.label].toFixed(3)}`)];
    return [...texts, bars(Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]))];
  },
  tag(answer) {
    const text = sentence("");
    text.append(...withMarks(answer.text, answer.entities.map((one) => ({ ...one, label: one.kind }))));
    if (!answer.entities.length) return [text, make("p", { className: "note" }, "Nothing found.")];
    return [text, bars(answer.entities.map((one) => [`${one.kind}: \u2068${one.text}\u2069`, one.probability]), false)];
  },
  answer(answer) {
    const found = answer.answer;
    const text = sentence("");
    text.append(...withMarks(answer.context, found.end ? [found] : []));
    return [sentence(answer.question), bars([[found.text || "no answer in this text", found.probability]]), text];
  },
  nearest(answer) {
    const items = answer.neighbours.map(({ candidate, similarity }) => {
      const text = make("p", { className: "text", dir: "auto" }, candidate.text ?? "(its text is not in the file)");
      const place = candidate.file ? `${candidate.file}, row ${candidate.row}` : `row ${candidate.row}`;
      const language = candidate.language ? `${languageName(candidate.language)} · ` : "";
      if (candidate.language) text.lang = candidate.language.split("_")[0];
      return make("li", {}, text, bar(similarity), make("span", { className: "share" }, similarity.toFixed(3)),
        make("span", { className: "note" }, `${language}${place}`));
    });
    const nothing = items.length ? [] : [make("p", { className: "note" }, "Nothing there is in this language.")];
    return [sentence(answer.text), make("ol", { className: "near" }, ...items), ...nothing];
  },
  embed(answer) {
    const length = Math.hypot(...answer.vector);
    const begin = answer.vector.slice(0, 6).map((value) => value.toFixed(3)).join(", ");
    const some = `${answer.vector.length} numbers, of length ${length.toFixed(3)}: `;
    return [sentence(answer.text), make("p", { className: "note" }, some, make("code", {}, `${begin}, …`))];
  },
};

// What the server would refuse by the name of a field is said here in words of the page.
function checked(texts, what) {
  const [many, long] = [about.limits.texts, about.limits.characters].map((most) => most.toLocaleString("en"));
  if (!texts.length) throw new Error(`There is nothing in \u201c${what}\u201d: write something.`);
  if (texts.length > about.limits.texts) {
    throw new Error(`\u201c${what}\u201d has ${texts.length.toLocaleString("en")} lines, and ${many} are taken at once: ask in parts.`);
  }
  const place = texts.findIndex((text) => [...text].length > about.limits.characters);
  if (place >= 0) {
    const where = texts.length > 1 ? `, line ${place + 1},` : "";
    throw new Error(`\u201c${what}\u201d${where} has more than ${long} characters: shorten it.`);
  }
  return texts;
}
const textsOf = (form) => checked(lines(form.texts.value), "Texts");

const asked = {
  "fill-mask": (form) => ({ texts: textsOf(form), top_k: Number(form.top_k.value) }),
  classify(form) {
    const [texts, seconds] = [textsOf(form), lines(form.seconds.value)];
    if (!seconds.length) return { texts };
    checked(seconds, "Second texts");
    if (seconds.length !== texts.length) {
      throw new Error(`There are ${texts.length} texts and ${seconds.length} second texts: give each its second, or none.`);
    }
    return { pairs: texts.map((text, place) => ({ text, second: seconds[place] })) };
  },
  tag: (form) => ({ texts: textsOf(form) }),
  answer(form) {
    const [question] = checked([form.question.value.trim()].filter(Boolean), "Question");
    const [context] = checked([form.context.value].filter((text) => text.trim()), "Text in which its answer stands");
    return { questions: [{ question, context }] };
  },
  nearest(form) {
    const question = { texts: textsOf(form), k: Number(form.k.value) };
    if (form.where.value === "file") return { ...question, to_language: form.language.value || null };
    const candidates = checked(lines(form.candidates.value), "Sentences to look among");
    return { ...question, candidates: candidates.map((text) => ({ text })) };
  },
  embed: (form) => ({ texts: textsOf(form) }),
};

async function ask(path, panel) {
  const form = panel.querySelector("form");
  const results = panel.querySelector(".results");
  const buttons = [...form.querySelectorAll("button")];
  if (!form.reportValidity() || buttons.some((button) => button.disabled)) return;
  buttons.forEach((button) => (button.disabled = true));
  results.setAttribute("aria-busy", "true");
  let shown;
  try {
    const question = asked[path](form);
    const begun = performance.now();
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: chosen.value, ...question }),
    });
    const found = await response.json();
    if (!response.ok) throw new Error(found.error);
    const took = `${found.model}, in ${Math.round(performance.now() - begun).toLocaleString("en")} ms`;
    shown = [make("p", { className: "note" }, took)];
    shown.push(...found.answers.map((answer) => make("article", {}, ...show[path](answer))));
    if (path === "embed") shown.push(saving(found.answers));
  } catch (error) {
    const gone = error instanceof TypeError || error instanceof SyntaxError;
    const text = gone ? "The server does not answer: is it still there?" : error.message;
    shown = [make("p", { className: "error" }, text)];
  }
  results.replaceChildren(...shown);
  results.setAttribute("aria-busy", "false");
  buttons.forEach((button) => (button.disabled = false));
}
function saving(answers) {
  const link = make("a", { href: URL.createObjectURL(new Blob([JSON.stringify(answers)], { type: "application/json" })) });
  link.download = "vectors.json";
  link.textContent = "Save the vectors as JSON";
  return make("p", {}, link);
}

function select(tab, focus = false) {
  for (const one of tabs) {
    const is = one === tab;
    one.setAttribute("aria-selected", is);
    one.tabIndex = is ? 0 : -1;
    panelOf(one).hidden = !is;
  }
  if (focus) tab.focus();
}
function choose() {
  const model = about.models.find((one) => one.name === chosen.value);
  for (const tab of tabs) tab.hidden = !model.kinds.includes(needs[panelOf(tab).id] ?? panelOf(tab).id);
  document.getElementById("kind").textContent = `${model.architecture}, texts of up to ${model.longest.toLocaleString("en")} tokens`;
  const current = tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
  select(current && !current.hidden ? current : tabs.find((tab) => !tab.hidden));
  const form = document.querySelector("#nearest form");
  form.querySelectorAll(".in-file").forEach((part) => (part.hidden = !model.searches));
  form.where.value = model.searches ? "file" : "sentences";
  lookIn();
}
function lookIn() {
  const form = document.querySelector("#nearest form");
  const file = form.where.value === "file";
  form.candidates.parentNode.hidden = file;
  form.language.parentNode.hidden = !file || !about.vectors.languages.length;
}

const EXAMPLES = {
  "fill-mask": {
    English: { texts: "The river is high after the [MASK]." },
    Русский: { texts: "Она читает новую [MASK]." },
    中文: { texts: "北京是中国的[MASK]都。" },
    العربية: { texts: "يشرب الناس [MASK] في الصباح." },
    עברית: { texts: "הילדים הולכים לבית [MASK] בבוקר." },
    हिन्दी: { texts: "बच्चे स्कूल में [MASK] पढ़ते हैं।" },
    Kiswahili: { texts: "Watu wengi wanakula [MASK] asubuhi." },
  },
  classify: {
    English: { texts: "The team won the cup after extra time.", seconds: "" },
    "English, a pair": { texts: "A man is playing a guitar.", seconds: "Someone makes music." },
    Türkçe: { texts: "Bilim insanları yeni bir gezegen buldu.", seconds: "" },
    العربية: { texts: "فاز الفريق بالكأس بعد الوقت الإضافي.", seconds: "" },
    ไทย: { texts: "นักวิทยาศาสตร์ค้นพบดาวเคราะห์ดวงใหม่", seconds: "" },
  },
  tag: {
    English: { texts: "Ada Lovelace met Charles Babbage in London." },
    日本語: { texts: "夏目漱石は東京で生まれた。" },
    العربية: { texts: "ولد نجيب محفوظ في القاهرة." },
    ქართული: { texts: "შოთა რუსთაველი საქართველოში დაიბადა." },
  },
  answer: {
    English: { question: "Where does the river rise?", context: "The river rises in the northern hills, runs through two lakes and reaches the sea after 80 kilometres." },
    中文: { question: "河流发源于哪里?", context: "这条河发源于北部的山区,流经两个湖泊,八十公里后入海。" },
    עברית: { question: "היכן מתחיל הנהר?", context: "הנהר מתחיל בגבעות הצפון, עובר בשני אגמים ומגיע לים אחרי 80 קילומטרים." },
  },
  nearest: {
    "Six languages": {
      texts: "The river is high after the rain.",
      candidates: "Река высока после дождя.\n今天早上河水很高。\nالنهر مرتفع بعد المطر.\nThe museum sells tickets at the door.\nबारिश के बाद नदी ऊँची है।\nDer Mond hat keine Atmosphäre.",
    },
  },
};
function fillIn(form, example) {
  for (const [name, value] of Object.entries(example)) form[name].value = value;
}

for (const model of about.models) chosen.append(new Option(model.name, model.name));
chosen.disabled = about.models.length < 2;
chosen.addEventListener("change", choose);
const near = document.querySelector("#nearest form");
near.where.append(...(about.vectors ? [new Option(about.vectors.file, "file")] : []), new Option("my own sentences", "sentences"));
near.where.addEventListener("change", lookIn);
near.language.append(new Option("any", ""), ...(about.vectors?.languages ?? []).map((one) => new Option(languageName(one), one)));
document.getElementById("vectors").addEventListener("click", () => ask("embed", document.getElementById("nearest")));
for (const tab of tabs) {
  const panel = panelOf(tab);
  const form = panel.querySelector("form");
  const examples = form.querySelector(".examples");
  for (const name of Object.keys(EXAMPLES[panel.id])) examples.append(new Option(name, name));
  examples.addEventListener("change", () => fillIn(form, EXAMPLES[panel.id][examples.value]));
  fillIn(form, EXAMPLES[panel.id][examples.value]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(panel.id, panel);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask(panel.id, panel);
    }
  });
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const there = tabs.filter((one) => !one.hidden);
    const at = there.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: there.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(there[(to + there.length) % there.length], true);
  });
}
choose();
