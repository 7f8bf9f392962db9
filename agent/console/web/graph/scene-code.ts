/**
 * What draws the graph is loaded apart from its page, which asks for the mesh and for a layout meanwhile. Cytoscape is most of it;
 * where every service is a dot there is no need of it.
 * @module
 */
import type { Detail } from './lod.ts';
import type { GraphScene, SceneEvents } from './scene.ts';

/** Loads it, the first time. */
export async function sceneFor(detail: Detail): Promise<(host: HTMLElement, events: SceneEvents) => GraphScene> {
  if (detail === 'all') {
    const { DotScene } = await import('./dot-scene.ts');
    return (host, events) => new DotScene(host, events);
  }
  const { Scene } = await import('./scene.ts');
  return (host, events) => new Scene(host, detail, events);
}
