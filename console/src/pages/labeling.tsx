/** Labeling: one decision a screen, keyboard first. Bulk mode answers a screen of similar items at once. */
import { Button, Kbd, Modal, NumberInput, Textarea, TextInput } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import type { LabelingSession, LabelValue, TaskView } from "../../../src/server/contract.ts";
import { instant } from "../format.ts";
import { Empty, Loading, Refused } from "../parts/feedback.tsx";
import { Segments } from "../parts/segments.tsx";
import { BulkView } from "./labeling-bulk.tsx";
import { ItemView } from "./labeling-item.tsx";
import { Choice, nameOf, useKeys } from "./labeling-parts.tsx";
import { type Answer, useLabelingWork, type Work } from "./labeling-session.ts";
import "@mantine/core/styles/Kbd.css";
import "../css/labeling.css";

export function LabelingPage() {
  const { model } = useParams({ from: "/models/$model/labeling" });
  const { mode = "one" } = useSearch({ from: "/models/$model/labeling" });
  const navigate = useNavigate({ from: "/models/$model/labeling" });
  const work = useLabelingWork(model, mode);
  const { tasks, session, error, isReading } = work;
  return (
    <div className="labeling">
      <div className="labeling-bar">
        <Segments
          label="What and how many at a time"
          options={[
            ["one", "One by one"],
            ["bulk", "Similar ones together"],
            ["reviews", `Answers to decide${session?.progress.reviews ? ` (${session.progress.reviews})` : ""}`],
          ]}
          value={mode}
          onChange={(next) => void navigate({ search: { mode: next === "one" ? undefined : next }, replace: true })}
        />
        <Progress work={work} />
        <Link to="/models/$model/labeling/team" params={{ model }} className="link small">
          Team and agreement
        </Link>
      </div>
      {error === undefined ? null : <Refused error={error} onRetry={work.refresh} />}
      {session?.guidelines == null ? null : (
        <details className="guidelines">
          <summary>Guidelines</summary>
          <p>{session.guidelines}</p>
        </details>
      )}
      {tasks.length > 0 && session !== undefined ? (
        mode === "bulk" ? (
          <BulkView work={work} choices={session.choices} />
        ) : (
          <OneView key={tasks[0]?.id} task={tasks[0] as TaskView} work={work} session={session} />
        )
      ) : isReading ? (
        <Loading lines={4} />
      ) : error === undefined ? (
        <AllDone model={model} work={work} />
      ) : null}
    </div>
  );
}

function Progress({ work }: { readonly work: Work }) {
  const { session, answered } = work;
  if (session === undefined) return null;
  const { open, done } = session.progress;
  const finished = Math.min(open + done, done + answered);
  return (
    <p className="labeling-progress small" aria-live="off">
      <progress value={finished} max={Math.max(1, open + done)} aria-label="Share of the queue that is done" />
      <span className="dimmed">
        {finished} of {open + done} done, {answered} by you now
      </span>
    </p>
  );
}

function AllDone({ model, work }: { readonly model: string; readonly work: Work }) {
  const sentence =
    work.answered > 0
      ? "Nothing is left for you: thank you."
      : "Nothing waits for a label. A batch chooses the examples that teach most.";
  return (
    <Empty
      sentence={sentence}
      command={`retrain tasks build ${model}`}
      action={
        <div className="actions">
          <Button variant="default" onClick={work.refresh}>
            Look again
          </Button>
          <Button variant="subtle" onClick={work.undo}>
            Take my last answer back
          </Button>
        </div>
      }
    />
  );
}

function OneView(props: { readonly task: TaskView; readonly work: Work; readonly session: LabelingSession }) {
  const { task, work } = props;
  const { choices, areChoicesOpen } = props.session;
  const [comment, setComment] = useState("");
  const [isCommenting, setCommenting] = useState(false);
  const [isHelping, setHelping] = useState(false);
  const answer = (given: Answer) =>
    work.answer(task, comment.trim() === "" ? given : { ...given, comment: comment.trim() });
  useKeys((key) => {
    const index = Number(key) - 1;
    const value = choices?.[index];
    if (key >= "1" && key <= "9" && value !== undefined) answer({ kind: "answer", value });
    else if (key === "Enter" && task.suggestion !== undefined && choices !== null)
      answer({ kind: "answer", value: task.suggestion.decision });
    else if (key === " ") answer({ kind: "skip" });
    else if (key === "Backspace") work.undo();
    else if (key === "f") answer({ kind: "flag" });
    else if (key === "c") setCommenting(true);
    else if (key === "?") setHelping(true);
    else return false;
    return true;
  });
  return (
    <>
      <article className="card labeling-card" aria-label={`Example ${task.exampleId}`} data-task={task.id}>
        <header className="labeling-heading">
          <span className="mono dimmed">{task.exampleId}</span>
          {task.isReview ? (
            <span className="tag-review">
              waits for your decision{task.dueAt === undefined ? "" : ` until ${instant(task.dueAt)}`}
            </span>
          ) : null}
        </header>
        <ItemView task={task} />
        <Suggestion task={task} />
        {isCommenting ? (
          <Textarea
            label="Comment"
            description="Goes with your answer."
            value={comment}
            onChange={(event) => setComment(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
                event.preventDefault();
                event.currentTarget.blur();
              }
            }}
            maxLength={2000}
            autoFocus
          />
        ) : null}
        {choices === null ? (
          <NumberAnswer task={task} onAnswer={(value) => answer({ kind: "answer", value })} />
        ) : (
          <div className="choices" role="group" aria-label="Answers">
            {choices.map((value, i) => (
              <Choice
                key={String(value)}
                index={i}
                value={value}
                isSuggested={task.suggestion?.decision === value}
                onClick={() => answer({ kind: "answer", value })}
              />
            ))}
          </div>
        )}
        {areChoicesOpen ? <OtherAnswer onAnswer={(value) => answer({ kind: "answer", value })} /> : null}
      </article>
      <div className="labeling-extra">
        <Extra keys="Space" text="Skip" onClick={() => answer({ kind: "skip" })} />
        <Extra keys="F" text="Flag" onClick={() => answer({ kind: "flag" })} />
        <Extra keys="C" text="Comment" onClick={() => setCommenting(true)} />
        <Extra keys="⌫" text="Undo" onClick={work.undo} />
        <Extra keys="?" text="Keys" onClick={() => setHelping(true)} />
      </div>
      <KeysDialog isOpen={isHelping} onClose={() => setHelping(false)} choices={choices} />
    </>
  );
}

function Suggestion({ task }: { readonly task: TaskView }) {
  const { suggestion } = task;
  if (suggestion === undefined) return null;
  const { decision, confidence, version } = suggestion;
  return (
    <p className="suggestion small">
      <span className="dimmed">{version} says</span> <strong>{nameOf(decision)}</strong>
      {confidence === undefined ? null : <span className="dimmed"> at {(100 * confidence).toFixed(0)} %</span>}
      <span className="dimmed suggestion-key">
        <Kbd>Enter</Kbd> agrees
      </span>
    </p>
  );
}

function NumberAnswer({ task, onAnswer }: { readonly task: TaskView; readonly onAnswer: (value: number) => void }) {
  const [value, setValue] = useState<number | string>(
    typeof task.suggestion?.decision === "number" ? task.suggestion.decision : "",
  );
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  return (
    <form
      className="number-answer"
      onSubmit={(event) => {
        event.preventDefault();
        if (typeof value === "number") onAnswer(value);
      }}
    >
      <NumberInput ref={input} label="The true value" value={value} onChange={setValue} hideControls autoFocus />
      <Button type="submit" disabled={typeof value !== "number"}>
        Answer
      </Button>
    </form>
  );
}

/** A class that nobody has named yet. */
function OtherAnswer({ onAnswer }: { readonly onAnswer: (value: string) => void }) {
  const [text, setText] = useState("");
  return (
    <form
      className="number-answer"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== "") onAnswer(text.trim());
      }}
    >
      <TextInput
        label="Another class"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        maxLength={512}
      />
      <Button type="submit" variant="default" disabled={text.trim() === ""}>
        Answer
      </Button>
    </form>
  );
}

function Extra({
  keys,
  text,
  onClick,
}: {
  readonly keys: string;
  readonly text: string;
  readonly onClick: () => void;
}) {
  return (
    <button type="button" className="extra" onClick={onClick}>
      <Kbd aria-hidden="true">{keys}</Kbd> {text}
    </button>
  );
}

function KeysDialog(props: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly choices: readonly LabelValue[] | null;
}) {
  const rows: readonly (readonly [string, ReactNode])[] = useMemo(
    () => [
      ...(props.choices ?? []).slice(0, 9).map((value, i) => [String(i + 1), nameOf(value)] as const),
      ["Enter", "Agree with the model"],
      ["Space", "Skip: somebody else may know"],
      ["Backspace", "Take the last answer back"],
      ["f", "Flag: an adjudicator decides"],
      ["c", "Comment"],
      ["?", "This list"],
    ],
    [props.choices],
  );
  return (
    <Modal opened={props.isOpen} onClose={props.onClose} title="Keys" closeButtonProps={{ "aria-label": "Close" }}>
      <table className="table plain">
        <tbody>
          {rows.map(([key, what]) => (
            <tr key={key}>
              <td>
                <Kbd>{key}</Kbd>
              </td>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Modal>
  );
}
