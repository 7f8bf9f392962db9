/** What of the graph is seen, and what lies under the pointer. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromLine } from '../../../../agent/console/web/graph/geometry.ts';
import { fitted, isInView, laidOver, unprojected, ZOOM, zoomed } from '../../../../agent/console/web/graph/viewport.ts';

const HOST = { width: 900, height: 600 };
const at = fc.integer({ min: -3_000, max: 3_000 });
const point = fc.record({ x: at, y: at });
const view = fc.record({ x: at, y: at, zoom: fc.double({ min: ZOOM.least, max: ZOOM.most, noNaN: true }) });

test('what is fitted is in view, and never nearer than life', () => {
  fc.assert(
    fc.property(point, fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 1, max: 6_000 }), (corner, wide, tall) => {
      const box = { left: corner.x, top: corner.y, right: corner.x + wide, bottom: corner.y + tall };
      const shown = fitted(box, HOST);
      expect(shown.zoom).toBeLessThanOrEqual(1);
      expect(isInView(box, shown, HOST)).toBe(true);
      expect(isInView(box, { ...shown, x: shown.x + HOST.width }, HOST)).toBe(false);
    }),
  );
});

test('zooming keeps the place under the pointer, within bounds', () => {
  fc.assert(
    fc.property(view, fc.double({ min: 0.1, max: 10, noNaN: true }), point, (before, factor, pointer) => {
      const after = zoomed(before, factor, pointer);
      expect(after.zoom).toBeGreaterThanOrEqual(ZOOM.least);
      expect(after.zoom).toBeLessThanOrEqual(ZOOM.most);
      const [was, is] = [unprojected(before, pointer), unprojected(after, pointer)];
      expect(is.x).toBeCloseTo(was.x, 4);
      expect(is.y).toBeCloseTo(was.y, 4);
    }),
  );
});

test('a picture that is moved shows each place where it would be drawn', () => {
  fc.assert(
    fc.property(view, view, point, point, (drawn, now, margin, place) => {
      const { x, y, scale } = laidOver(drawn, now, margin);
      const inPicture = { x: place.x * drawn.zoom + drawn.x + margin.x, y: place.y * drawn.zoom + drawn.y + margin.y };
      expect(inPicture.x * scale + x - margin.x).toBeCloseTo(place.x * now.zoom + now.x, 4);
      expect(inPicture.y * scale + y - margin.y).toBeCloseTo(place.y * now.zoom + now.y, 4);
    }),
  );
});

test('from a line it is as far as from its nearest point, ends included', () => {
  const [a, b] = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
  ];
  expect(fromLine({ x: 5, y: 3 }, a, b)).toBe(3);
  expect(fromLine({ x: -3, y: 4 }, a, b)).toBe(5);
  expect(fromLine({ x: 13, y: -4 }, a, b)).toBe(5);
  expect(fromLine({ x: 3, y: 4 }, a, a)).toBe(5);
});
