# The option reference, as Markdown: `text` is evaluated, so that docs/options.md is made without building anything.
{ pkgs, modules }:
let
  inherit (pkgs) lib;
  inherit
    (lib.evalModules {
      modules = modules ++ [
        {
          # the modules' own options are wanted, those of NixOS are not there
          _module.check = false;
          _module.args = {
            inherit pkgs;
            utils = { };
          };
        }
      ];
    })
    options
    ;
  all = lib.optionAttrSetToDocList options.services.every-channel;
  shown = lib.filter (option: option.visible && !option.internal) all;
  section =
    prefix: lib.filter (option: lib.hasPrefix "services.every-channel.${prefix}" option.name) shown;

  literal = value: if value ? text then value.text else toString value;
  code =
    label: value:
    let
      text = lib.trim (literal value);
    in
    if lib.hasInfix "\n" text then "${label}:\n\n```nix\n${text}\n```\n" else "${label}: `${text}`\n";
  paragraph = text: lib.trim (if builtins.isAttrs text then text.text else text);
  one =
    option:
    lib.concatStringsSep "\n" (
      [
        "### `${lib.removePrefix "services.every-channel." option.name}`\n"
        "${paragraph (option.description or "")}\n"
        "Type: ${option.type}\n"
      ]
      ++ lib.optional (option ? default) (code "Default" option.default)
      ++ lib.optional (option ? example) (code "Example" option.example)
    );
in
{
  text = ''
    # NixOS options

    Written by `scripts/check-nix --nixpkgs DIR --update` from the modules in `nix/modules`; do not edit. Names are
    below `services.every-channel`.

    ## Archives: `archive.<name>`

    ${lib.concatMapStringsSep "\n" one (section "archive")}
    ## The explorer: `explorer`

    ${lib.concatMapStringsSep "\n" one (section "explorer")}
    ## The chain: `op-stack`

    ${lib.concatMapStringsSep "\n" one (section "op-stack")}
    ## Witnesses: `witness.<name>`

    ${lib.concatMapStringsSep "\n" one (section "witness")}'';
}
