/* The verdict above everything else: a card a finding, what lacks in a line, a device after the other; of several devices which to take. */
const Verdict = (function () {
  'use strict';

  const { node, table, details, show, filled, isNumber } = Parts;

  const CARDS = 6; /* devices whose cards stand open */
  const lower = (text) => text.charAt(0).toLowerCase() + text.slice(1);

  function card(finding) {
    return node('div', { class: 'card', title: finding.sentence },
      node('span', { class: 'soft' }, finding.title), node('strong', {}, finding.figure),
      ...(finding.detail ? [node('small', {}, finding.detail)] : []));
  }

  function device(verdict, several) {
    const found = verdict.findings.filter((finding) => finding.measured), missing = verdict.findings.filter((finding) => !finding.measured);
    return node('section', { class: 'verdict', 'aria-label': 'Verdict on ' + verdict.device },
      ...(several ? [node('h3', {}, verdict.device)] : []),
      ...(found.length ? [node('div', { class: 'cards' }, ...found.map(card))] : []),
      ...(missing.length ? [node('p', { class: 'soft' }, 'Not measured: ' + missing.map((finding) => lower(finding.sentence.replace(/: not measured\.$/, ''))).join('; ') + '.')] : []));
  }

  const side = (devices, several) => node('div', { class: devices.length > 1 ? 'verdicts' : '' }, ...devices.map((one) => device(one, several)));

  /* A row a device, a column a kind of work; the quickest and the most frugal of each are called best. */
  function works(devices) {
    const some = devices.filter((one) => one.works.some((work) => isNumber(work.ms)));
    if (some.length < 2) return [];
    const column = (i, unit, name, best) => [devices[0].works[i].work + (devices[0].works[i].shape ? ', ' + devices[0].works[i].shape : '') + ', ' + unit,
      (one) => (isNumber(one.works[i][name]) ? show(Number(one.works[i][name].toPrecision(3))) + (one.works[i][best] ? ' (best)' : '') : null)];
    const columns = [['device', (one) => one.device]].concat(...devices[0].works.map((_, i) => [column(i, 'ms', 'ms', 'best'), column(i, 'J', 'energy_j', 'best_energy')]));
    return [table('Which device for which work', filled(columns, some), some)];
  }

  /* Nodes for the top of the page; none where no device has rows. */
  function cards(verdict) {
    if (!verdict || !verdict.devices.length) return [];
    const told = verdict.devices.filter((one) => one.findings.some((finding) => finding.measured));
    const several = verdict.devices.length > 1;
    return [
      ...(verdict.take.length ? [node('ul', { class: 'take' }, ...verdict.take.map((text) => node('li', {}, text)))] : []),
      ...works(verdict.devices),
      side(told.slice(0, CARDS), several),
      ...(told.length > CARDS ? [details('verdicts', 'The other ' + (told.length - CARDS) + ' devices', () => side(told.slice(CARDS), true))] : []),
    ];
  }

  return { cards };
})();
