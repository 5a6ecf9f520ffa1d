# What `ec-op-stack doctor` and `status` read, from a plan: what runs, with the very arguments and variables, and files where
# the host has them. It holds no secret: a variable with a key is null, any other that comes from a file is named by that.
plan:
let
  inherit (builtins)
    attrNames
    filter
    listToAttrs
    map
    mapAttrs
    replaceStrings
    ;
  inherit (plan) settings components;
  inherit (settings) paths;
  byPath = own: own.program != null && builtins.substring 0 1 own.program == "/";
  given = xs: removeAttrs xs (filter (name: xs.${name} == null) (attrNames xs));

  described =
    component:
    let
      inherit (settings.components.${component.key}) secretsDirectory;
      names = attrNames component.secrets;
      isKey =
        file:
        builtins.elem file [
          "${secretsDirectory}/key"
          "${secretsDirectory}/p2p-key"
        ];
      # a path as the component sees it → as the host does
      onHost = replaceStrings (map (name: "${secretsDirectory}/${name}") names) (
        map (name: toString component.secrets.${name}.file) names
      );
      fromFiles = component.environmentFromFiles;
      variables = isIt: filter (name: isKey fromFiles.${name} == isIt) (attrNames fromFiles);
    in
    {
      inherit (component) version;
      # its programs are those of its image
      contained = !(byPath settings.components.${component.key});
      args = map onHost component.args;
      environment =
        component.environment
        // listToAttrs (
          map (name: {
            inherit name;
            value = null;
          }) (variables true)
        );
      environment_files = listToAttrs (
        map (name: {
          inherit name;
          value = onHost fromFiles.${name};
        }) (variables false)
      );
    };
in
{
  inherit (settings) role;
  files = {
    rollup = "${paths.chain}/rollup.json";
    genesis = "${paths.chain}/genesis.json";
  };
  accounts = given settings.accounts;
  components = mapAttrs (_: described) components;
}
