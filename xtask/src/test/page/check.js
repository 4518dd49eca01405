// Looks at pages, each at each width, and leaves what is wrong with them in the document as JSON.
//
// `PAGES` and `WIDTHS` are lists. A page has a text, the names of the sections that it must have, and changes:
// what is set on it, and what it must show then.
"use strict";

// Pixels by which neighbours may overlap: rounding, and what is white at the edge of a letter.
const SLACK = 1;

// The smallest text that is read with ease, in pixels.
const SMALLEST = 9;

// Elements of which no two may overlap, unless one is in the other.
const BLOCKS = "h1, h2, p, li, fieldset, label, select, input, summary, figcaption, figure, svg, .scroll, dt, dd";

const box = (element) => element.getBoundingClientRect();
const area = (box) => box.width * box.height;

function overlap(a, b) {
  const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return across > SLACK && down > SLACK;
}

function within(inner, outer) {
  return inner.left >= outer.left - SLACK && inner.right <= outer.right + SLACK
    && inner.top >= outer.top - SLACK && inner.bottom <= outer.bottom + SLACK;
}

function name(element) {
  const text = (element.getAttribute("aria-label") || element.textContent).trim().slice(0, 60);
  return `<${element.tagName.toLowerCase()}> "${text}"`;
}

function pairs(elements, found) {
  const boxes = elements.map((element) => [element, box(element)]);
  boxes.sort((one, other) => one[1].top - other[1].top);
  boxes.forEach(([one, first], place) => {
    for (let next = place + 1; next < boxes.length; next++) {
      const [other, second] = boxes[next];
      if (second.top > first.bottom) break;
      if (overlap(first, second) && !one.contains(other) && !other.contains(one)) {
        found(`${name(one)} and ${name(other)} overlap`);
      }
    }
  });
}

function drawing(svg, found) {
  const whole = box(svg);
  const complain = (what) => found(`in ${name(svg)}: ${what}`);
  for (const element of svg.querySelectorAll("*")) {
    if (!within(box(element), whole)) complain(`${name(element)} is cut off`);
  }
  const texts = [...svg.querySelectorAll("text")];
  const scale = whole.width / (svg.viewBox.baseVal.width || whole.width);
  for (const text of texts) {
    if (area(box(text)) === 0) complain(`${name(text)} is not to be seen`);
    const size = scale * parseFloat(getComputedStyle(text).fontSize);
    if (size < SMALLEST) complain(`${name(text)} is ${size.toFixed(1)} pixels high`);
  }
  pairs(texts, complain);
  for (const mark of svg.querySelectorAll(".mark")) {
    for (const text of texts) {
      if (overlap(box(mark), box(text))) complain(`a mark and ${name(text)} overlap`);
    }
  }
}

function plot(section, found) {
  const drawings = [...section.querySelectorAll("figure svg")];
  const drawn = (svg) => [...svg.querySelectorAll(".mark")].some((mark) => area(box(mark)) > 0);
  if (!drawings.some(drawn)) found(`the plot ${section.id} draws nothing`);
  drawings.filter((svg) => area(box(svg)) === 0).forEach((svg) => found(`${name(svg)} is empty`));
}

// The first place where an element does not hold what it must.
function difference(element, html) {
  const must = element.cloneNode(false);
  must.innerHTML = html;
  const [is, other] = [element.innerHTML.trim(), must.innerHTML.trim()];
  let place = 0;
  while (place < is.length && is[place] === other[place]) place++;
  return is === other ? null : `"${is.slice(place, place + 60)}" is there, not "${other.slice(place, place + 60)}"`;
}

function change(page, { set, shows }, found) {
  const settings = set.map(([id, value]) => `${id}: ${value}`).join(", ");
  const complain = (what) => found(`with {${settings}}: ${what}`);
  for (const [id, value] of set) {
    const control = page.getElementById(id);
    if (control.matches(":disabled")) complain(`${id} is off`);
    control.value = value;
    if (control.value !== value) complain(`${id} cannot be ${value}`);
    control.dispatchEvent(new Event("input", { bubbles: true }));
  }
  for (const [selector, html] of shows) {
    const wrong = difference(page.querySelector(selector), html);
    if (wrong) complain(`in ${selector}, ${wrong}`);
  }
  page.querySelectorAll("svg").forEach((svg) => area(box(svg)) > 0 && drawing(svg, complain));
}

function look({ plots, changes }, page, width) {
  const problems = [];
  const found = (problem) => problems.push(problem);
  if (page.defaultView.innerWidth !== width) found(`it is shown ${page.defaultView.innerWidth} wide`);
  page.querySelectorAll("details").forEach((details) => { details.open = true; });
  const root = page.documentElement;
  if (root.scrollWidth > root.clientWidth) found(`it is ${root.scrollWidth} wide`);
  for (const id of plots) {
    const section = page.getElementById(id);
    if (section) plot(section, found); else found(`the plot ${id} is missing`);
  }
  page.querySelectorAll("svg").forEach((svg) => drawing(svg, found));
  const blocks = [...page.querySelectorAll(BLOCKS)];
  for (const block of blocks) {
    if (!within(box(block), box(page.body))) found(`${name(block)} leaves the page`);
    const scrolls = block.classList.contains("scroll");
    if (!scrolls && block.scrollWidth > block.clientWidth + SLACK && block.clientWidth > 0) {
      found(`${name(block)} is wider than its place`);
    }
  }
  pairs(blocks, found);
  changes.forEach((made) => change(page, made, found));
  return problems;
}

function show(page, width) {
  return new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.style.cssText = `width: ${width}px; height: 900px; border: 0`;
    frame.onload = () => {
      const problems = look(page, frame.contentDocument, width);
      frame.remove();
      resolve(problems);
    };
    frame.srcdoc = page.text;
    document.body.append(frame);
  });
}

async function all() {
  const findings = [];
  for (const page of PAGES) {
    const seen = [];
    for (const width of WIDTHS) seen.push({ width, problems: await show(page, width) });
    findings.push(seen);
  }
  const result = document.createElement("script");
  result.type = "application/json";
  result.id = "findings";
  result.textContent = JSON.stringify(findings).replaceAll("<", "\\u003c");
  document.body.append(result);
}

window.onload = all;
