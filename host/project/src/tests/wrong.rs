use super::Project;

#[test]
fn a_misspelt_key() {
    let project = Project::of("nmae: x\nflows: {f: {home: in, store: out}}\n");
    insta::assert_snapshot!(project.wrong(), @r"
    error: hygge.yml has no key `nmae`
      --> hygge.yml:1:1
       |
     1 | nmae: x
       | ^^^^
       = help: did you mean `name`?
    ");
}
