/** What each key does, and the switch that turns single keys off. @module */
import { useState } from 'react';
import { Modal } from '../ui/modal.tsx';
import { areKeysOn, keyActions, setKeysOn } from './keys.ts';

export function Help({ onClose }: { readonly onClose: () => void }) {
  const [isOn, setOn] = useState(areKeysOn);
  const groups = Map.groupBy(keyActions(), ({ group }) => group ?? 'On this page');
  return (
    <Modal title="Keys" onClose={onClose}>
      <label className="row">
        <input
          type="checkbox"
          checked={isOn}
          onChange={(event) => {
            setKeysOn(event.target.checked);
            setOn(event.target.checked);
          }}
        />
        Single keys work
      </label>
      <div className="help-groups">
        {[...groups].map(([group, actions]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {actions.map(({ keys, does }) => (
                <div key={keys}>
                  <dt>
                    <kbd>{keys}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Modal>
  );
}
