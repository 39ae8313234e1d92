/** The list of keys; loaded when somebody asks for it. */
import "@mantine/core/styles/Kbd.css";
import { Kbd, Modal } from "@mantine/core";

const KEYS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [["g", "o"], "Overview"],
  [["g", "r"], "Runs"],
  [["g", "d"], "Decisions"],
  [["g", "a"], "Alerts"],
  [["Ctrl K", "⌘ K"], "Go to a page, model, version or run"],
  [["p"], "Pause or resume live updates"],
  [["?"], "This list"],
  [["Esc"], "Close a dialog"],
];

export function HelpDialog({ isOpen, onClose }: { readonly isOpen: boolean; readonly onClose: () => void }) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Keys" closeButtonProps={{ "aria-label": "Close" }}>
      <table className="table plain">
        <tbody>
          {KEYS.map(([keys, what]) => (
            <tr key={what}>
              <td>
                {keys.map((key, index) => (
                  <span key={key}>
                    {index === 0 ? "" : keys[0] === "g" ? " then " : " or "}
                    <Kbd>{key}</Kbd>
                  </span>
                ))}
              </td>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Modal>
  );
}
