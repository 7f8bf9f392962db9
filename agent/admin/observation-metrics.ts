/** How the access log, the traces and the exporter of spans fare: what they hold, and what they lost. @module */
import type { Registry } from 'prom-client';
import type { Observation } from '../telemetry/observation.ts';
import { addCounter, addGauge } from './scraped.ts';

export function addObservationMetrics(registry: Registry, { access, store, otlp, taps }: Observation): void {
  addCounter(registry, {
    name: 'weft_telemetry_access_log_lines_total',
    help: 'Lines of the access log by what became of them: written, or dropped because the sink took no more.',
    labels: ['outcome'],
    read: () => [
      [{ outcome: 'written' }, access.written],
      [{ outcome: 'dropped' }, access.dropped],
    ],
  });
  addGauge(registry, {
    name: 'weft_telemetry_trace_records',
    help: 'Requests that the trace store of this node holds.',
    read: () => [[{}, store.records]],
  });
  addGauge(registry, {
    name: 'weft_telemetry_trace_bytes',
    help: 'Memory that the trace store takes, roughly counted.',
    read: () => [[{}, store.bytes]],
  });
  addCounter(registry, {
    name: 'weft_telemetry_traces_evicted_total',
    help: 'Traces that went before telemetry.traces.keepMs, to keep the others within the bounds.',
    read: () => [[{}, store.evicted]],
  });
  addCounter(registry, {
    name: 'weft_telemetry_otlp_spans_total',
    help: 'Spans for the collector by what became of them: sent, or dropped (queue full, or not taken).',
    labels: ['outcome'],
    read: () => [
      [{ outcome: 'sent' }, otlp?.sent ?? 0],
      [{ outcome: 'dropped' }, otlp?.dropped ?? 0],
    ],
  });
  addGauge(registry, {
    name: 'weft_telemetry_taps',
    help: 'Taps that watch requests of this node now.',
    read: () => [[{}, taps.sessions]],
  });
}
