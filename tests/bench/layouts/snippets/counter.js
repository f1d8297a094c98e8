import { readFile } from "node:fs/promises";

const WORD = /[\p{L}\p{M}\p{N}]+/gu;

// Counts the words of a file and keeps the most frequent.
export async function frequent(path, limit = 10) {
  const text = await readFile(path, "utf8");
  const counts = new Map();
  for (const [word] of text.toLowerCase().matchAll(WORD)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, limit);
}

document.querySelector("#count").addEventListener("click", async () => {
  const response = await fetch("/api/words?limit=5");
  if (!response.ok) {
    throw new Error(`no answer: ${response.status}`);
  }
  const rows = await response.json();
  const list = document.createElement("ul");
  for (const { word, count } of rows) {
    const item = document.createElement("li");
    item.textContent = word + ": " + count;
    list.append(item);
  }
  document.body.append(list);
});
