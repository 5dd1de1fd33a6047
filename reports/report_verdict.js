/* The verdict above everything else: a card a finding, a device after the other; of several devices which to take. */
const Verdict = (function () {
  'use strict';

  const { node } = Parts;

  function card(finding) {
    return node('div', { class: finding.measured ? 'card' : 'card missing', title: finding.sentence },
      node('span', { class: 'soft' }, finding.title), node('strong', {}, finding.figure),
      ...(finding.detail ? [node('small', {}, finding.detail)] : []));
  }

  function device(verdict, several) {
    return node('section', { class: 'verdict', 'aria-label': 'Verdict on ' + verdict.device },
      ...(several ? [node('h3', {}, verdict.device)] : []),
      node('div', { class: 'cards' }, ...verdict.findings.map(card)));
  }

  /* Nodes for the top of the page; none where no device has rows. */
  function cards(verdict) {
    if (!verdict || !verdict.devices.length) return [];
    const several = verdict.devices.length > 1;
    return [
      ...(verdict.take.length ? [node('ul', { class: 'take' }, ...verdict.take.map((text) => node('li', {}, text)))] : []),
      ...verdict.devices.map((one) => device(one, several)),
    ];
  }

  return { cards };
})();
