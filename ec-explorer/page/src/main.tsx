import { render, type JSX } from "preact";

import { SlotPageOf } from "./pages/slot.tsx";
import { StreamPageOf } from "./pages/stream.tsx";
import { StreamsPage } from "./pages/streams.tsx";
import { WitnessesPage, WitnessPageOf } from "./pages/witnesses.tsx";
import { Frame, Title } from "./ui/parts.tsx";
import { link, useRoute } from "./ui/route.ts";
import "./ui/page.css";

function App(): JSX.Element {
    const route = useRoute();
    const [page, id] = route.parts;
    // a page of another thing is another page: nothing of the last one stays
    if (page === undefined) return <StreamsPage route={route} />;
    if (page === "streams" && id !== undefined) return <StreamPageOf key={id} route={route} />;
    if (page === "slots" && id !== undefined) return <SlotPageOf key={id} route={route} />;
    if (page === "witnesses" && id === undefined) return <WitnessesPage route={route} />;
    if (page === "witnesses" && id !== undefined) return <WitnessPageOf key={id} route={route} />;
    return (
        <Frame place={null}>
            <Title text="There is no such page" />
            <p>
                The address may be cut off. <a href={link.streams()}>All streams</a>
            </p>
        </Frame>
    );
}

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
