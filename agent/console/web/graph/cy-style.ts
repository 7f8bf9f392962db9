/** How Cytoscape draws edges: colours of the tokens, no functions, no shadows. @module */
import type cytoscape from 'cytoscape';
import { token } from '../theme/theme.ts';
import type { Detail } from './lod.ts';

export function styleFor(detail: Exclude<Detail, 'all'>): cytoscape.StylesheetJson {
  const edge = token('edge');
  const colors = { bad: token('bad-mark'), warn: token('warn-mark'), mesh: token('mesh-mark') };
  return [
    {
      selector: 'node',
      style: { shape: 'rectangle', width: 'data(w)', height: 'data(h)', 'background-opacity': 0, events: 'no' },
    },
    {
      selector: 'edge',
      style: {
        width: 'data(width)' as never,
        'line-color': edge,
        'target-arrow-color': edge,
        'target-arrow-shape': 'triangle',
        'arrow-scale': 0.8,
        ...(detail === 'cards' ? taxi() : curve()),
      },
    },
    { selector: 'edge.vertical', style: { 'taxi-direction': 'vertical', 'taxi-turn': '50%' } },
    { selector: 'edge.straight', style: { 'curve-style': 'straight' } },
    { selector: 'edge.bowed', style: curve() },
    { selector: 'edge.tcp', style: { 'target-arrow-shape': 'tee' } },
    {
      selector: 'edge.plaintext',
      style: { 'line-style': 'dashed', 'line-dash-pattern': [6, 5], ...coloured(colors.mesh) },
    },
    { selector: 'edge.warn', style: { ...coloured(colors.warn), 'z-index': 5 } },
    { selector: 'edge.bad', style: { ...coloured(colors.bad), 'z-index': 9 } },
    { selector: 'edge.chosen', style: { ...coloured(token('accent')), 'z-index': 10 } },
    { selector: 'edge.apart', style: { opacity: 0.15 } },
  ] as cytoscape.StylesheetJson;
}

function coloured(color: string) {
  return { 'line-color': color, 'target-arrow-color': color };
}

/** Orthogonal, round corners; `turn` is the lane in the gutter before the callee. */
function taxi() {
  return {
    'curve-style': 'round-taxi',
    'taxi-direction': 'horizontal',
    'taxi-turn': 'data(turn)',
    'taxi-radius': 12,
    'taxi-turn-min-distance': 8,
  };
}

/** Leaves and arrives level. */
function curve() {
  return {
    'curve-style': 'unbundled-bezier',
    'control-point-distances': 'data(bend)',
    'control-point-weights': 'data(weights)',
    'edge-distances': 'node-position',
  };
}
