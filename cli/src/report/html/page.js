// The report's page: draws what is in the element `data`. Text from it only ever becomes text.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  /** How many findings are added to the list at once. */
  const PAGE = 100;

  /** How many causes there are to choose from, the most frequent ones. */
  const CAUSES = 200;

  const VERDICTS = {
    reachable: "reachable",
    "reachable-under-assumptions": "reachable under assumptions",
    unknown: "not decided",
    unreachable: "unreachable",
  };

  /** An element with attributes and children; strings become text. */
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (value === true) made.setAttribute(key, "");
      else if (value !== false && value != null) made.setAttribute(key, value);
    }
    made.append(...children.flat().filter((child) => child != null));
    return made;
  }

  const code = (text, attributes) => element("code", attributes, text);
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  // --- One finding ---------------------------------------------------------------------------

  /** The path from left to right. `anchor` makes the id of a policy's place on this page. */
  function path(finding, anchor) {
    const steps = finding.steps.map((number, at) => {
      const step = data.steps[number];
      return element(
        "li",
        { class: "step" },
        element("h4", {}, `${at + 1}. ${step.title}`),
        element(
          "div",
          { class: "technique" },
          step.technique,
          step.severity ? ", " : null,
          step.severity ? element("span", { class: step.severity }, step.severity) : null,
        ),
        element("ul", { class: "calls" }, ...step.calls.map((one) => call(one, finding, anchor))),
        element(
          "ul",
          { class: "gains" },
          ...step.gains.map((gain) =>
            element("li", {}, element("span", { class: "faint" }, "gains "), gain),
          ),
        ),
      );
    });
    // What scrolls has to be reached by keyboard.
    return element(
      "ol",
      { class: "path", role: "list", tabindex: 0, "aria-label": `Path of ${finding.name}` },
      element(
        "li",
        { class: "start" },
        element("span", { class: "role" }, "the attacker holds"),
        code(finding.name),
      ),
      ...steps,
      element(
        "li",
        { class: "goal" },
        element("span", { class: "role" }, "and can"),
        finding.goal,
      ),
    );
  }

  function call(one, finding, anchor) {
    const allowed = one.by.map(([policy, , label], at) =>
      element(
        "div",
        { class: "by" },
        element("span", { class: "faint" }, at === 0 ? "allowed by " : "and "),
        data.policies[policy]?.text
          ? element("a", { href: `#${anchor(policy)}` }, label)
          : label,
      ),
    );
    const context = one.context.map(([key, values]) =>
      element("li", {}, element("span", { class: "faint" }, "with "), code(`${key} = ${values}`)),
    );
    return element(
      "li",
      {},
      code(one.action, { class: "action" }),
      element("span", { class: "faint" }, " on "),
      code(one.resource),
      one.actor === finding.name
        ? null
        : element("div", { class: "by" }, element("span", { class: "faint" }, "as "), code(one.actor)),
      context.length ? element("ul", { class: "context" }, ...context) : null,
      ...allowed,
    );
  }

  /** The policies that a path uses, with the statements that it uses and what they allow. */
  function used(finding) {
    const policies = new Map();
    finding.steps.forEach((number, at) => {
      for (const one of data.steps[number].calls) {
        for (const [policy, statement] of one.by) {
          if (!policies.has(policy)) policies.set(policy, new Map());
          const statements = policies.get(policy);
          if (!statements.has(statement)) statements.set(statement, new Set());
          statements.get(statement).add(`${one.action} in step ${at + 1}`);
        }
      }
    });
    return policies;
  }

  /** An edit of a fix: what goes and what comes. */
  function edit(one) {
    const lines = one.lines.map(([sign, line]) =>
      element(sign === "-" ? "del" : sign === "+" ? "ins" : "span", {}, `${sign} ${line}\n`),
    );
    return element(
      "div",
      { class: "edit" },
      element("h5", {}, element("span", { class: "faint" }, "Fix: "), one.title),
      element("div", { class: "faint place" }, code(one.place)),
      element("pre", { tabindex: 0, role: "group", "aria-label": `Fix: ${one.title}` }, ...lines),
    );
  }

  /** What a fix does, with the edits that stand beside no policy of the path. */
  function fixed(finding, elsewhere) {
    const fix = data.fixes[finding.fix];
    if (!finding.steps.length) return [];
    const text = fix
      ? `With ${counted(fix.edits.length, "edit")} no path of ${fix.of} is left` +
        (fix.smallest ? "; fewer do not do." : ".")
      : "Not looked for within this report: it looks for those of the most frequent causes, as far " +
        "as a fixed effort goes, and shows none that is not proved. The command escalade fix does.";
    return [
      element("h4", {}, "Fix"),
      element("p", { class: "fix" }, text),
      ...elsewhere.map((one) => element("figure", { class: "policy" }, edit(one))),
    ];
  }

  function policy(number, statements, anchor, edits) {
    const known = data.policies[number];
    const places = [...statements.keys()]
      .map((statement) => known.statements[statement]?.file)
      .filter((lines) => lines)
      .map(([first, last]) => (first === last ? `line ${first}` : `lines ${first} to ${last}`));
    const allows = new Set([...statements.values()].flatMap((calls) => [...calls]));
    const caption = element(
      "figcaption",
      {},
      element("strong", {}, known.name),
      known.of ? [" of ", code(known.of)] : null,
      element("span", { class: "faint" }, ` allows ${[...allows].join(", ")}`),
      element(
        "div",
        { class: "faint" },
        known.file
          ? [code(known.file), places.length ? `, ${[...new Set(places)].join(", ")}` : null]
          : known.text
            ? "owned by AWS, not in the snapshot"
            : "not in the snapshot: written by the attacker, or one that AWS owns",
      ),
    );
    const beside = edits.map(edit);
    if (!known.text) return element("figure", { class: "policy" }, caption, ...beside);
    const marked = [...statements.keys()]
      .map((statement) => known.statements[statement]?.text)
      .filter((lines) => lines);
    const text = element("pre", {
      tabindex: 0,
      role: "group",
      "aria-label": `Text of policy ${known.name}`,
    });
    let mark = null;
    known.text.split("\n").forEach((line, at) => {
      const within = marked.some(([first, last]) => first <= at + 1 && at + 1 <= last);
      if (!within) mark = null;
      else if (!mark || marked.some(([first]) => first === at + 1)) {
        mark = text.appendChild(element("mark"));
      }
      (mark ?? text).append(element("span", { class: "line" }, line));
    });
    return element("figure", { class: "policy", id: anchor(number) }, caption, text, ...beside);
  }

  function list(title, texts) {
    return texts.length
      ? [element("h4", {}, title), element("ul", {}, ...texts.map((text) => element("li", {}, text)))]
      : [];
  }

  function body(finding, at) {
    const anchor = (policy) => `finding-${at}-policy-${policy}`;
    const uses = used(finding);
    const edits = data.fixes[finding.fix]?.edits ?? [];
    const policies = [...uses].map(([number, statements]) =>
      policy(number, statements, anchor, edits.filter((one) => one.policy === number)),
    );
    const elsewhere = edits.filter((one) => !uses.has(one.policy));
    return element(
      "div",
      { class: "body" },
      finding.steps.length ? path(finding, anchor) : null,
      ...list("If", finding.assumptions),
      ...list("Not known", finding.unknown),
      policies.length ? element("h4", {}, "What allows it") : null,
      ...policies,
      ...fixed(finding, elsewhere),
    );
  }

  /** A finding's row; what it opens is made when it is opened. */
  function row(at) {
    const finding = data.findings[at];
    const steps = finding.steps.map((number) => data.steps[number].title);
    const details = element(
      "details",
      { class: "finding" },
      element(
        "summary",
        {},
        element("h3", {}, code(finding.name)),
        element("span", { class: "outline" }, steps.join(" → ")),
        element("span", { class: `verdict ${finding.verdict}` }, VERDICTS[finding.verdict]),
      ),
    );
    details.addEventListener("toggle", () => {
      if (details.open && fill(details, at)) scrollToMarks(details);
    });
    return element("li", {}, details);
  }

  /** Makes what a row opens, unless it is there; says whether it did. */
  function fill(details, at) {
    if (details.childElementCount > 1) return false;
    details.append(body(data.findings[at], at));
    return true;
  }

  function scrollToMarks(details) {
    for (const text of details.querySelectorAll("pre")) {
      const mark = text.querySelector("mark");
      if (mark) text.scrollTop = mark.offsetTop - text.offsetTop - 24;
    }
  }

  // --- The list ------------------------------------------------------------------------------

  const rows = byId("list");
  const more = byId("more");
  let matching = data.findings.map((_, at) => at);

  function show(count) {
    const from = rows.childElementCount;
    rows.append(...matching.slice(from, from + count).map(row));
    more.hidden = rows.childElementCount >= matching.length;
  }

  more.addEventListener("click", () => show(PAGE));
  new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && show(PAGE),
    { rootMargin: "600px" },
  ).observe(more);

  // --- Search and filters --------------------------------------------------------------------

  const words = (...texts) => texts.flat(3).join(" ").toLowerCase();
  const ofStep = data.steps.map((step) =>
    words(
      step.title,
      step.technique,
      step.calls.map((one) => [one.actor, one.action, one.resource, one.by.map((by) => by[2])]),
      step.gains,
    ),
  );
  const texts = data.findings.map(
    (finding) =>
      `${words(finding.name, finding.arn, finding.assumptions, VERDICTS[finding.verdict])} ` +
      finding.steps.map((step) => ofStep[step]).join(" "),
  );

  const filters = { cause: byId("cause"), account: byId("account"), verdict: byId("verdict") };
  const search = byId("search");

  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter((word) => word);
    matching = [];
    data.findings.forEach((finding, at) => {
      const chosen = Object.entries(filters).every(
        ([name, select]) => !select.value || String(finding[name]) === select.value,
      );
      if (chosen && wanted.every((word) => texts[at].includes(word))) matching.push(at);
    });
    rows.replaceChildren();
    show(PAGE);
    const all = data.findings.length;
    byId("count").textContent =
      matching.length === all
        ? counted(all, "finding")
        : `${matching.length.toLocaleString("en")} of ${counted(all, "finding")}`;
    for (const button of document.querySelectorAll("button[data-filter]")) {
      const { filter: name, value } = button.dataset;
      button.setAttribute("aria-pressed", String(filters[name].value === value));
    }
  }

  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  for (const select of Object.values(filters)) select.addEventListener("change", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(filter));
  byId("open-all").addEventListener("click", () => {
    for (const details of rows.querySelectorAll("details")) details.open = true;
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });

  // --- The summary ---------------------------------------------------------------------------

  /** A button that filters by a value, or by nothing if it does so already. */
  function filtering(name, value, text) {
    const attributes = { type: "button", class: "link", "data-filter": name, "data-value": value };
    const button = element("button", { ...attributes, "aria-pressed": "false" }, text);
    button.addEventListener("click", () => {
      filters[name].value = filters[name].value === String(value) ? "" : String(value);
      filter();
      byId("findings").scrollIntoView();
    });
    return button;
  }

  const number = (count) => element("td", { class: "number" }, count.toLocaleString("en"));

  data.causes.slice(0, CAUSES).forEach((cause, at) => {
    const text = `${cause.title} (${cause.on})`;
    filters.cause.append(element("option", { value: at }, text));
    byId("causes").tBodies[0].append(
      element(
        "tr",
        {},
        number(cause.findings),
        element(
          "td",
          {},
          filtering("cause", at, cause.title),
          element("div", {}, element("span", { class: "faint" }, "on "), code(cause.on)),
        ),
        element("td", { class: cause.severity }, cause.severity),
      ),
    );
  });
  if (data.causes.length > CAUSES) {
    const rest = `and ${(data.causes.length - CAUSES).toLocaleString("en")} more`;
    byId("causes").tBodies[0].append(
      element("tr", {}, element("td"), element("td", { colspan: 2, class: "faint" }, rest)),
    );
  }
  for (const [account, findings] of data.accounts) {
    filters.account.append(element("option", { value: account }, account));
    byId("accounts").tBodies[0].append(
      element("tr", {}, number(findings), element("td", {}, filtering("account", account, account))),
    );
  }
  for (const verdict of new Set(data.findings.map((finding) => finding.verdict))) {
    filters.verdict.append(element("option", { value: verdict }, VERDICTS[verdict]));
  }

  function section(id, texts, make) {
    byId(id).hidden = texts.length === 0;
    byId(id).querySelector("ul").append(...texts.map((text) => element("li", {}, make(text))));
  }
  section("already", data.administrators, code);
  section("unknown", data.unknown, (text) => text);

  // --- On paper everything is open -----------------------------------------------------------

  let opened = [];
  window.addEventListener("beforeprint", () => {
    show(matching.length);
    [...rows.children].forEach((item, at) => {
      const details = item.firstElementChild;
      if (details.open) return;
      fill(details, matching[at]);
      details.open = true;
      opened.push(details);
    });
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    opened = [];
  });

  byId("findings-section").hidden = data.findings.length === 0;
  byId("summary").hidden = data.findings.length < 2;
  filter();
  if (data.findings.length === 1) rows.querySelector("details").open = true;
})();
