// How far the review is, how fast it goes, and how long it will take.

const LOOKED_AT = 30; // decisions over which the pace is taken
const FEWEST = 4; // pauses between decisions that a pace takes
const BREAK = 120_000; // ms after which somebody was away: no part of the pace
const ENOUGH = 30; // labels drawn at random, before errors left are estimated

export function makePace() {
  let times = [];
  return {
    decided(at) { times = [...times, at].slice(-LOOKED_AT - 1); },
    taken() { times.pop(); },
    perMinute() { // null while too little is known
      const pauses = times.slice(1).map((t, i) => t - times[i]).filter((ms) => ms < BREAK);
      return pauses.length < FEWEST ? null : 60_000 / (pauses.reduce((a, b) => a + b, 0) / pauses.length);
    },
  };
}

export function describePace({ done, total, drawn }, rate) { // total: these and what is doubted; drawn: reviewed at random
  const count = (n) => n.toLocaleString("en"), left = total === null ? null : Math.max(0, total - done);
  const words = [left === null ? count(done) : `${count(done)} of ${count(done + left)}`];
  if (rate !== null) words.push(`${count(Math.round(rate))} a minute`);
  if (left === 0) words.push("no doubted label is left: what comes is doubted less");
  else if (rate !== null && left) words.push(describeTime(left / rate));
  if (drawn !== null) words.push(drawn < ENOUGH ? `random ${drawn} of ${ENOUGH}` : `random ${count(drawn)}`);
  return words.join(", ");
}

function describeTime(minutes) {
  if (minutes < 1) return "under a minute left";
  return minutes < 90 ? `${Math.round(minutes)} min left` : `${(minutes / 60).toFixed(1)} h left`;
}
