/** A workload document as YAML, with the parts a test cares about replaced. */
export function workloadYaml(options: { name?: string; runs?: string; spec?: string } = {}): string {
  const { name = 'web-1', runs = `{netns: /run/netns/${name}}`, spec = '' } = options;
  return `apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: shop, labels: {app: web}}
spec:
  service: web
  runs: ${runs}
  ports:
    - {name: http, port: 8080, servicePort: 80, appProtocol: http}
${spec}`;
}
