// What Review asks of the server, and the words in which it says what came of it.

export const picture = (sample, side = 512) => `/assay/image/${encodeURIComponent(sample)}?side=${side}`;

export async function ask(path, body) { // throws with the server's words; `refused` where asking again is of no use
  const answer = await fetch(path, body && {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), keepalive: true });
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 400) throw Object.assign(new Error(said.error), { refused: true, hint: said.hint, unscanned: said.unscanned });
  if (answer.ok) return said;
  throw new Error(answer.status === 403 ? "the server does not know this browser: open its link again"
    : `the server has met an error of its own (${answer.status}): where it was started it says which; it is asked again`);
}

export const describeFault = (e) => (e.message === "Failed to fetch" ? "the server cannot be reached: decisions are kept here until it is back" : e.message);
export const hex = (n) => [...crypto.getRandomValues(new Uint8Array(n))].map((b) => b.toString(16).padStart(2, "0")).join("");

export function makeNote(place) { // says something for a while
  let timer = null;
  return (words) => {
    place.textContent = words;
    clearTimeout(timer);
    timer = setTimeout(() => { place.textContent = ""; }, 5000);
  };
}
