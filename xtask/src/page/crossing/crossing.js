// The plot "Where does shadow paging begin to win over nested?", computed again for what is set on the page.
//
// It says, draws and lists what `crossing/cost.rs` and `crossing/draw.rs` do, to the letter: `cargo xtask
// test page` compares the two.
"use strict";

(() => {
  const part = (name) => document.getElementById(`crossing-${name}`);
  const { exits, curves } = JSON.parse(part("figures").textContent);
  const MODES = ["nested", "shadow"];

  // Figures as text.

  const parted = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, ",");

  function fixed(value, places) {
    const scale = 10 ** places;
    const all = Math.round(value * scale);
    return `${parted(Math.floor(all / scale))}.${String(all % scale).padStart(places, "0")}`;
  }

  function decimals(value, most) {
    const text = value.toFixed(most);
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  }

  function short(value) {
    const [, unit, name] = [[1e9, 1e9, " G"], [1e6, 1e6, " M"], [1e4, 1e3, " k"], [0, 1, ""]]
      .find(([from]) => value >= from);
    return decimals(value / unit, 2) + name;
  }

  function bytes(log2) {
    const [unit, name] = [[30, "GiB"], [20, "MiB"], [10, "KiB"]].find(([unit]) => log2 >= unit) || [10, "KiB"];
    return `${fixed(2 ** (log2 - unit), 1).replace(/\.0$/, "")} ${name}`;
  }

  // Costs, and where they cross.

  function points(settings, block) {
    const curve = curves.find((curve) => curve.place === settings.place && curve.row === settings.row
      && curve.block === block);
    return curve ? curve.points : [];
  }

  function steps(settings) {
    const shadow = points(settings, null);
    return points(settings, settings.block).flatMap((nested) => {
      const same = shadow.find((point) => point.pages === nested.pages);
      if (!same) return [];
      const counts = [nested, same].map(({ instructions, exits, reads }) => [instructions, exits, reads[settings.cached]]);
      const costs = counts.map(([instructions, exits, reads]) => instructions * settings.instruction
        + exits * settings.exit + reads * settings.read);
      const gap = costs[0] - costs[1];
      // Whether shadow paging is what costs less; nothing where the costs are the same, or nearly so.
      const toShadow = Math.abs(gap) > 0.01 * Math.max(...costs) ? gap > 0 : null;
      return [{ size: Math.log2(nested.pages * 4096), counts, costs, gap, toShadow }];
    });
  }

  function crossings(steps) {
    const found = [];
    let shadowWins = null;
    steps.forEach((step, place) => {
      const { toShadow } = step;
      if (toShadow === null) return;
      if (shadowWins === !toShadow) {
        const before = steps[place - 1];
        const share = Math.min(Math.max(before.gap / (before.gap - step.gap), 0), 1);
        const between = (from, to) => from + share * (to - from);
        const [size, cost] = [between(before.size, step.size), between(before.costs[0], step.costs[0])];
        found.push({ size, cost, toShadow });
      }
      shadowWins = toShadow;
    });
    return found;
  }

  function says(steps, crossings) {
    if (steps.length === 0) return "There are no figures for these settings.";
    if (crossings.length === 0) {
      const step = steps.find(({ toShadow }) => toShadow !== null);
      if (!step) return "Both cost the same at every size.";
      const wins = step.toShadow ? "Shadow paging costs less at every size."
        : "There is no crossing: nested paging costs less at every size.";
      return steps.some(({ toShadow }) => toShadow === null) ? `${wins} At some they cost the same.` : wins;
    }
    const ranges = crossings.flatMap(({ size, toShadow }, place) => {
      const next = crossings[place + 1];
      if (toShadow) return [next ? `from ${bytes(size)} to ${bytes(next.size)}` : `from ${bytes(size)} on`];
      return place === 0 ? [`up to ${bytes(size)}`] : [];
    });
    return `Shadow paging costs less ${ranges.join(" and ")}.`;
  }

  function rows(steps) {
    const figures = ([instructions, exits, reads], cost) =>
      [fixed(instructions, 2), fixed(exits, 4), fixed(reads, 2), fixed(cost, 2)];
    const cell = (figure) => `<td class="figure">${figure}</td>`;
    return steps.map(({ size, counts, costs }) => {
      const cells = counts.flatMap((counts, mode) => figures(counts, costs[mode])).map(cell).join("");
      return `<tr><th scope="row">${bytes(size)}</th>${cells}</tr>\n`;
    }).join("");
  }

  // The drawing.

  const [LEFT, TOP, RIGHT, BOTTOM] = [46, 38, 406, 224];
  const at = (value) => decimals(value, 1);

  const line = (kind, [x1, y1], [x2, y2]) =>
    `<line class="${kind}" x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"/>`;
  const text = (kind, [x, y], anchor, text) =>
    `<text class="${kind}" x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${text}</text>`;

  function linear(max) {
    const rough = (max > 0 ? max : 1) / Math.floor(Math.min(Math.max((BOTTOM - TOP) / 44, 2), 5));
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = ([1, 2, 2.5, 5].find((round) => round * power >= rough) || 10) * power;
    const end = Math.ceil((max > 0 ? max : 1) / step - 1e-9) * step;
    const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, tick) => tick * step);
    return { ticks, at: (value) => BOTTOM + (TOP - BOTTOM) * Math.min(Math.max(value / end, 0), 1) };
  }

  function log2(first, last) {
    const [from, to] = [LEFT + 16, RIGHT - 16];
    const width = Math.max(last, first + 1) - first;
    return (value) => from + (to - from) * Math.min(Math.max((value - first) / width, 0), 1);
  }

  function curve(mode, places) {
    const mark = {
      nested: ([x, y]) => `<rect class="mark point nested" x="${at(x - 3.5)}" y="${at(y - 3.5)}" width="7" height="7"/>`,
      shadow: ([x, y]) => `<path class="mark point shadow" d="M${at(x - 3.5)} ${at(y)}l3.5 -3.5 3.5 3.5 -3.5 3.5z"/>`,
    }[mode];
    const line = places.map(([x, y]) => `${at(x)},${at(y)}`).join(" ");
    return `<polyline class="curve ${mode}" points="${line}"/>${places.map(mark).join("")}`;
  }

  function draw(steps, crossings) {
    const across = steps.length ? log2(steps[0].size, steps[steps.length - 1].size) : log2(0, 1);
    const up = linear(Math.max(0, ...steps.flatMap(({ costs }) => costs)));
    const every = Math.ceil(steps.length / 7);
    const out = up.ticks.map((tick) => line("grid", [LEFT, up.at(tick)], [RIGHT, up.at(tick)])
      + text("tick", [LEFT - 6, up.at(tick) + 4], "end", short(tick)));
    steps.forEach(({ size }, place) => {
      const x = across(size);
      out.push(line("axis", [x, BOTTOM], [x, BOTTOM + 4]));
      if (place % every === 0) out.push(text("tick", [x, BOTTOM + 18], "middle", bytes(size)));
    });
    out.push(line("axis", [LEFT, BOTTOM], [RIGHT, BOTTOM]));
    crossings.forEach(({ size }) => out.push(line("reference", [across(size), TOP], [across(size), BOTTOM])));
    MODES.forEach((mode, number) => {
      out.push(curve(mode, steps.map(({ size, costs }) => [across(size), up.at(costs[number])])));
    });
    let free = 0;
    crossings.forEach(({ size, cost }) => {
      const x = across(size);
      out.push(`<circle class="mark crossing" cx="${at(x)}" cy="${at(up.at(cost))}" r="6"/>`);
      if (x < free) return;
      out.push(text("strong", [x, TOP - 12], "middle", bytes(size)));
      free = x + 56;
    });
    out.push(text("unit", [0, 10], "start", "modelled cost, in cycles of no processor"));
    out.push(text("unit", [(LEFT + RIGHT) / 2, BOTTOM + 38], "middle", "working set"));
    return out.join("");
  }

  // The page.

  const controls = ["place", "row", "block", "cached", "instruction", "exit", "read"].map(part);
  const [place, row, block, cached, instruction, exit, read] = controls;
  const [shown, table] = [part("shown"), part("table")];
  let here = place.value;

  function show() {
    // An exit costs something else elsewhere, unless a person has said what it costs.
    if (exit.valueAsNumber === exits[here]) exit.value = exits[place.value];
    here = place.value;
    const valid = [instruction, exit, read].every((cost) => cost.validity.valid);
    shown.hidden = table.hidden = !valid;
    if (!valid) {
      part("answer").textContent = "Each cost must be a number from 0 to 1,000,000.";
      return;
    }
    const sizes = steps({
      place: place.value,
      row: row.value,
      block: Number(block.value),
      cached: Number(cached.value),
      instruction: instruction.valueAsNumber,
      exit: exit.valueAsNumber,
      read: read.valueAsNumber,
    });
    const meet = crossings(sizes);
    part("answer").textContent = says(sizes, meet);
    part("drawing").firstChild.innerHTML = draw(sizes, meet);
    table.querySelector("tbody").innerHTML = `\n${rows(sizes)}`;
  }

  controls.forEach((control) => control.addEventListener("input", show));
  document.querySelectorAll("#crossing .controls").forEach((set) => { set.disabled = false; });
  show();
})();
