/** How `weft catalog` prints for people. @module */
import type { CatalogDetail, CatalogNeighbour, CatalogRow, Scorecard } from '../catalog/rows.ts';
import { span, table } from './output.ts';

const TABS: Readonly<Record<CatalogRow['tab'], string>> = {
  seen: 'seen',
  silent: 'declared but silent',
  undeclared: 'used but undeclared',
  gone: 'gone',
};
const SOURCE_MARK = { declared: '', observed: '', inferred: '*' } as const;

export function catalogText(rows: readonly CatalogRow[], nowMs: number): string {
  return table(rows, [
    { heading: 'SERVICE', text: ({ id }) => id },
    { heading: 'STATE', text: ({ tab }) => TABS[tab] },
    { heading: 'OWNER', text: ({ owner }) => owner ?? '' },
    { heading: 'TIER', text: ({ tier }) => tier ?? '' },
    { heading: 'LANGUAGE', text: ({ language }) => languageText(language) },
    { heading: 'VERSIONS', text: ({ versions }) => versions.join(' ') },
    { heading: 'READY', text: ({ endpointsReady, endpointsTotal }) => `${endpointsReady}/${endpointsTotal}` },
    { heading: 'RULES', text: ({ rulesMet, rulesTotal }) => `${rulesMet}/${rulesTotal}` },
    { heading: 'FIRST SEEN', text: ({ firstSeenMs }) => ago(firstSeenMs, nowMs) },
    { heading: 'LAST SEEN', text: ({ lastSeenMs }) => ago(lastSeenMs, nowMs) },
  ]);
}

export function catalogServiceText(service: CatalogDetail, nowMs: number): string {
  const parts = [catalogText([service], nowMs)];
  const part = (title: string, text: string): void => void parts.push(`\n${title}\n${text}`);
  if (service.facts.length > 0) {
    const columns = [
      { heading: 'FACT', text: ({ key }: CatalogDetail['facts'][number]) => key },
      { heading: 'VALUE', text: ({ value }: CatalogDetail['facts'][number]) => value },
      { heading: 'SOURCE', text: ({ source }: CatalogDetail['facts'][number]) => source },
      { heading: 'BY', text: ({ by }: CatalogDetail['facts'][number]) => by },
    ];
    parts.push(`\n${table(service.facts, columns)}`);
  }
  if (service.routes.length > 0) {
    parts.push(
      `\n${table(service.routes, [
        { heading: 'METHOD', text: ({ method }) => method },
        { heading: 'ROUTE', text: ({ template }) => template },
        { heading: 'REQUESTS', text: ({ count }) => String(count) },
        { heading: 'STATUSES', text: ({ statuses }) => pairs(statuses) },
        { heading: 'CONSUMERS', text: ({ consumers }) => consumers.join(' ') },
        { heading: 'FIRST SEEN', text: ({ firstSeenMs }) => ago(firstSeenMs, nowMs) },
        { heading: 'LAST SEEN', text: ({ lastSeenMs }) => ago(lastSeenMs, nowMs) },
      ])}`,
    );
  }
  if (service.api !== null) part(`Held against ${service.api.definedBy.join(', ')}`, apiText(service.api));
  if (service.callers.length > 0) part('Callers', neighboursText(service.callers, nowMs));
  if (service.calls.length > 0) part('Calls', neighboursText(service.calls, nowMs));
  if (service.declaredUnused.length > 0) part('Declared and not called', `${service.declaredUnused.join('\n')}\n`);
  if (service.usedUndeclared.length > 0) part('Called and not declared', `${service.usedUndeclared.join('\n')}\n`);
  part('Rules', rulesText(service.rules));
  return parts.join('');
}

export function scorecardText({ services, owners }: Scorecard): string {
  const failing = services.flatMap(({ id, owner, rules }) =>
    rules.filter(({ isMet }) => !isMet).map(({ title, fix }) => ({ id, owner, title, fix })),
  );
  const byOwner = table(owners, [
    { heading: 'OWNER', text: ({ owner }) => owner ?? 'nobody' },
    { heading: 'SERVICES', text: (one) => String(one.services) },
    { heading: 'RULES', text: ({ rulesMet, rulesTotal }) => `${rulesMet}/${rulesTotal}` },
  ]);
  const byRule = table(failing, [
    { heading: 'SERVICE', text: ({ id }) => id },
    { heading: 'OWNER', text: ({ owner }) => owner ?? '' },
    { heading: 'RULE', text: ({ title }) => title },
    { heading: 'WHAT TO DO', text: ({ fix }) => fix },
  ]);
  return failing.length === 0 ? byOwner : `${byOwner}\n${byRule}`;
}

function neighboursText(neighbours: readonly CatalogNeighbour[], nowMs: number): string {
  return table(neighbours, [
    { heading: 'SERVICE', text: ({ service }) => service },
    { heading: 'PROTOCOL', text: ({ protocol }) => protocol },
    { heading: 'VIA', text: ({ via }) => via.join(' ') },
    { heading: 'TLS', text: ({ tls }) => tls },
    { heading: 'CALLS', text: ({ hops, count }) => (hops === 1 ? String(count) : '') },
    { heading: 'FIRST SEEN', text: ({ firstSeenMs }) => ago(firstSeenMs, nowMs) },
    { heading: 'LAST SEEN', text: ({ lastSeenMs }) => ago(lastSeenMs, nowMs) },
  ]);
}

function apiText({ problems, undeclared, unused }: NonNullable<CatalogDetail['api']>): string {
  const lines = [
    ...problems,
    ...undeclared.map(
      ({ method, template, count }) => `called and not in it: ${method} ${template} (${count} requests)`,
    ),
    ...unused.map(({ method, template }) => `in it and not called: ${method} ${template}`),
  ];
  return lines.length === 0 ? 'all routes are in it, and all were called\n' : `${lines.join('\n')}\n`;
}

function rulesText(rules: CatalogDetail['rules']): string {
  return table(rules, [
    { heading: 'RULE', text: ({ title }) => title },
    { heading: 'MET', text: ({ isMet }) => (isMet ? 'yes' : 'no') },
    { heading: 'WHAT TO DO', text: ({ fix }) => fix },
  ]);
}

function languageText(language: CatalogRow['language']): string {
  return language === null ? '' : `${language.value}${SOURCE_MARK[language.source]}`;
}

function pairs(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name}:${count}`)
    .join(' ');
}

function ago(ms: number | null, nowMs: number): string {
  return ms === null ? '' : span(nowMs - ms);
}
