// Runs in the page, and in that of the console. Lets each race be stepped through, played more slowly than it was, and a single buyer followed.
const RACES = JSON.parse(document.getElementById('data').textContent).races ?? {};

for (const section of document.querySelectorAll('[data-race]'))
  playable(section, RACES[section.dataset.race]);

export function playable(section, moments) {
  const form = section.querySelector('form.controls');
  const svg = section.querySelector('svg');
  const now = svg.querySelector('.now');
  const output = form.querySelector('output');
  const lanes = [...svg.querySelectorAll('.lane')];
  const { left, scale } = svg.dataset;
  let index = -1;
  let timer;
  form.hidden = false;

  function show(next) {
    index = Math.max(0, Math.min(moments.length - 1, next));
    const [atMs, buyer, text] = moments[index];
    const x = Number(left) + atMs * Number(scale);
    section.classList.add('played');
    now.setAttribute('x1', x);
    now.setAttribute('x2', x);
    output.textContent = `${atMs.toFixed(1)} ms: ${text}`;
    for (const lane of lanes) {
      const isCurrent = Number(lane.dataset.buyer) === buyer;
      lane.classList.toggle('current', isCurrent);
      for (const span of lane.querySelectorAll('[data-span]')) {
        span.style.visibility = Number(span.dataset.from) <= atMs ? 'visible' : 'hidden';
      }
    }
  }

  function stop() {
    clearTimeout(timer);
    timer = undefined;
    form.elements.play.textContent = 'Play';
  }

  function play() {
    const last = moments[index]?.[0] ?? 0;
    if (index + 1 >= moments.length) return stop();
    // 1 is ten times slower than it was.
    const slower = 10 ** Number(form.elements.speed.value);
    timer = setTimeout(
      () => {
        show(index + 1);
        play();
      },
      (moments[index + 1][0] - last) * slower,
    );
  }

  form.elements.play.addEventListener('click', () => {
    if (timer !== undefined) return stop();
    if (index + 1 >= moments.length) index = -1;
    form.elements.play.textContent = 'Pause';
    play();
  });
  form.elements.back.addEventListener('click', () => (stop(), show(index - 1)));
  form.elements.forth.addEventListener('click', () => (stop(), show(index + 1)));
  form.addEventListener('submit', (event) => event.preventDefault());
  section.addEventListener('keydown', (event) => {
    if (event.target.matches('input')) return;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    stop();
    show(index + step);
  });

  /** Of a buyer who is pointed at or has the focus, alone. */
  function follow(lane) {
    section.classList.toggle('following', lane !== null);
    for (const other of lanes) other.classList.toggle('followed', other === lane);
  }
  for (const lane of lanes) {
    lane.addEventListener('focus', () => follow(lane));
    lane.addEventListener('blur', () => follow(null));
    lane.addEventListener('mouseenter', () => follow(lane));
    lane.addEventListener('mouseleave', () => follow(null));
  }
}
