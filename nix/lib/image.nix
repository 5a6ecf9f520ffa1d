# The release's image of a component with the operator's changes; pinned by digest once one is known.
pinned: own:
let
  base = pinned // own.image;
  tagged = "${base.repository}:${base.tag}";
in
base
// {
  inherit (own) digest;
  reference = if own.digest == null then tagged else "${base.repository}@${own.digest}";
}
