import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
    { ignores: ["dist", "node_modules"] },
    {
        files: ["**/*.{ts,tsx}"],
        extends: [js.configs.recommended, tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
        languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
        rules: {
            "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
            "@typescript-eslint/no-confusing-void-expression": [
                "error",
                { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
            ],
            // the API's shapes and Rust's
            "@typescript-eslint/consistent-type-definitions": "off",
            "@typescript-eslint/consistent-indexed-object-style": "off",
            eqeqeq: ["error", "always", { null: "ignore" }],
            "no-restricted-syntax": [
                "error",
                {
                    selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
                    message: "what others wrote is text, never markup",
                },
                {
                    selector: "AssignmentExpression[left.property.name=/^(inner|outer)HTML$/]",
                    message: "what others wrote is text, never markup",
                },
            ],
        },
    },
    {
        files: ["tests/**/*.ts"],
        rules: {
            // what stands in for something that waits need not wait itself
            "@typescript-eslint/require-await": "off",
            "@typescript-eslint/no-non-null-assertion": "off",
        },
    },
);
