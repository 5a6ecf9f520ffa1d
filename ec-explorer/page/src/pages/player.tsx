/** Plays a stretch of a stream, and says of each segment who witnessed it. */

import type Hls from "hls.js";
import type { Fragment } from "hls.js";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { mediaUrl } from "../api/client.ts";
import { useApi } from "../api/hooks.ts";
import type { CellState, Group, Groups, SlotDetail, Stream } from "../api/types.ts";
import { blake3Of } from "../verify/blake3.ts";
import { plain } from "../verify/proof.ts";
import { dateTime } from "../ui/format.ts";
import { Hash, StateBadge, StateMark, Trouble } from "../ui/parts.tsx";
import { link } from "../ui/route.ts";
import { STATE_MEANS, STATE_WORD } from "../ui/states.ts";
import type { Window } from "../ui/window.ts";
import { useNames, Witness } from "./slot.tsx";

/** Segments beside the one that plays whose marks are shown. */
const AROUND = 12;

export function Player({ stream, window }: { stream: Stream; window: Window }): JSX.Element {
    const [archive, setArchive] = useState(stream.archives[0] ?? "");
    const [track, setTrack] = useState(stream.tracks.find((name) => name.includes("video")) ?? stream.tracks[0] ?? "");
    // a window that moves on by itself must not take the picture away
    const [played, setPlayed] = useState<Window | null>(null);
    return (
        <>
            <p class="row">
                <button type="button" class={played === null ? "primary" : ""} onClick={() => setPlayed(window)}>
                    {played === null ? "Load the media of this window" : "Load the window that is shown now"}
                </button>
                <Choice id="archive" word="as recorded by" names={stream.archives} value={archive} set={setArchive} />
                <Choice id="track" word="track" names={stream.tracks} value={track} set={setTrack} />
            </p>
            {played === null ? null : <Playing stream={stream} window={played} archive={archive} track={track} />}
        </>
    );
}

interface ChoiceProps {
    id: string;
    word: string;
    names: readonly string[];
    value: string;
    set: (name: string) => void;
}

function Choice({ id, word, names, value, set }: ChoiceProps): JSX.Element | null {
    if (names.length < 2) return null;
    return (
        <span class="row">
            <label for={id} style={{ margin: 0 }}>
                {word}
            </label>
            <select id={id} style={{ width: "auto" }} value={value} onChange={(event) => set(event.currentTarget.value)}>
                {names.map((name) => (
                    <option key={name}>{name}</option>
                ))}
            </select>
        </span>
    );
}

interface PlayingProps {
    stream: Stream;
    window: Window;
    archive: string;
    track: string;
}

function Playing({ stream, window, archive, track }: PlayingProps): JSX.Element {
    const video = useRef<HTMLVideoElement>(null);
    const [trouble, setTrouble] = useState<string | null>(null);
    const [current, setCurrent] = useState<string | null>(null);
    const [changed, setChanged] = useState<ReadonlyMap<string, boolean>>(new Map());
    const bounds = { ledger: stream.ledger, archive, from: window.from, to: window.to };
    const groups = useApi<Groups>(`/streams/${stream.stream}/groups`, bounds);
    const playlist = mediaUrl(`/streams/${stream.stream}/playlist.m3u8`, { ...bounds, track });

    useEffect(() => {
        setTrouble(null);
        setCurrent(null);
        let hls: Hls | undefined;
        let isOver = false;
        void import("hls.js").then(({ default: Player }) => {
            if (isOver || video.current === null) return;
            if (!Player.isSupported()) {
                setTrouble("This browser cannot play it: it lacks Media Source Extensions.");
                return;
            }
            // its worker would be made from a blob, which the page's policy forbids
            hls = new Player({ enableWorker: false });
            hls.on(Player.Events.FRAG_LOADED, (_, { frag, payload }) => {
                const name = hashOfFragment(frag);
                if (name === "") return;
                const isOther = plain(blake3Of(new Uint8Array(payload))) !== name;
                setChanged((before) => new Map(before).set(name, isOther));
            });
            hls.on(Player.Events.FRAG_CHANGED, (_, { frag }) => setCurrent(hashOfFragment(frag)));
            hls.on(Player.Events.ERROR, (_, { fatal, details }) => {
                if (fatal) setTrouble(`It cannot be played: ${words(details)}.`);
            });
            hls.loadSource(playlist);
            hls.attachMedia(video.current);
        });
        return () => {
            isOver = true;
            hls?.destroy();
        };
    }, [playlist]);

    const ofTrack = useMemo(() => (groups.data?.groups ?? []).filter((group) => group.track === track), [groups.data, track]);
    const at = Math.max(
        0,
        ofTrack.findIndex(({ blake3 }) => blake3 === current),
    );
    const shown = ofTrack.slice(Math.max(0, at - AROUND), at + AROUND + 1);
    const playing = current === null ? null : (ofTrack[at] ?? null);
    return (
        <div class="beside">
            <div>
                <video ref={video} controls playsInline aria-label={`recorded ${stream.stream_id ?? ""}, ${track}`} />
                <SegmentMarks shown={shown} current={current} changed={changed} />
            </div>
            <div>
                {trouble === null ? null : (
                    <p class="notice notice-bad" role="alert">
                        {trouble}
                    </p>
                )}
                <Trouble error={groups.error} at={groups.at} reload={groups.reload} />
                <CurrentSegment
                    group={playing}
                    isChanged={current === null ? undefined : changed.get(current)}
                    stream={stream}
                />
            </div>
        </div>
    );
}

function words(details: string): string {
    return details.replace(/([A-Z])/g, " $1").toLowerCase();
}

/** A segment's address ends in its fingerprint. */
export function hashOfFragment(fragment: Pick<Fragment, "url">): string {
    return /([0-9a-f]{64})[^/]*$/.exec(fragment.url)?.[1] ?? "";
}

function stateOf(group: Group, isChanged: boolean | undefined): CellState {
    return isChanged === true ? "mismatched" : (group.state ?? "gap");
}

interface MarksProps {
    shown: readonly Group[];
    current: string | null;
    changed: ReadonlyMap<string, boolean>;
}

function SegmentMarks({ shown, current, changed }: MarksProps): JSX.Element {
    return (
        <ol class="segment-marks" aria-label="Segments about the one that plays">
            {shown.map((group) => {
                const state = stateOf(group, changed.get(group.blake3));
                const isCurrent = group.blake3 === current;
                return (
                    <li
                        key={`${group.group_sequence}-${group.blake3}`}
                        class={isCurrent ? "current" : ""}
                        aria-current={isCurrent ? "true" : undefined}
                    >
                        <StateMark state={state} />
                        <span class="visually-hidden">
                            {group.state === null ? "its epoch is not over" : STATE_WORD[state]}
                        </span>
                    </li>
                );
            })}
        </ol>
    );
}

interface CurrentProps {
    group: Group | null;
    isChanged: boolean | undefined;
    stream: Stream;
}

function CurrentSegment({ group, isChanged, stream }: CurrentProps): JSX.Element {
    const names = useNames(stream.ledger);
    const slot = useApi<SlotDetail>(group?.slot == null ? null : `/slots/${group.slot}`, { ledger: stream.ledger }).data;
    if (group === null) {
        return <p class="quiet">Press play. Beside the picture stands who witnessed the segment that you see.</p>;
    }
    if (isChanged === true) {
        return (
            <p role="alert">
                <StateBadge state="mismatched" /> The bytes that came are not the ones that they are named by: they were changed
                on the way.
            </p>
        );
    }
    const voters = slot?.candidate_list.find((candidate) => candidate.is_final)?.voters ?? [];
    const state = stateOf(group, isChanged);
    return (
        <>
            <p>
                <StateBadge state={state} /> {group.state === null ? "its epoch is not over" : STATE_MEANS[state]}
                {group.final_ms === null ? "." : `, since ${dateTime(group.final_ms)}.`}
            </p>
            {slot === null || voters.length === 0 ? null : (
                <p>
                    Witnessed by {voters.length} of {slot.witnesses}:{" "}
                    {voters.map((voter) => (
                        <Witness key={voter} of={voter} names={names} />
                    ))}
                </p>
            )}
            {isChanged === false ? (
                <p class="quiet">The bytes that you see have this fingerprint: it was computed here.</p>
            ) : null}
            <p class="row">
                <Hash of={group.blake3} />
                {group.slot === null ? null : <a href={link.slot(group.slot)}>Its epoch</a>}
                <a href={link.check({ blake3: group.blake3, ledger: stream.ledger })}>Check it yourself</a>
            </p>
        </>
    );
}
