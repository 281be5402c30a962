//! A section: the settings that are read into one struct.

use super::setting::SettingDoc;
use super::values::Values;

/// A group of settings that are read into one struct.
pub trait Section: Sized {
    /// The documentation of the section and its settings.
    const DOC: SectionDoc;

    /// Reads every setting. Problems are recorded in `values`.
    fn read(values: &mut Values) -> Option<Self>;
}

/// A section of the configuration, as the documentation lists it.
#[derive(Clone, Copy, Debug)]
pub struct SectionDoc {
    /// The heading.
    pub title: &'static str,
    /// Its settings, in the order of the documentation.
    pub settings: &'static [SettingDoc],
}

/// Defines a section of the configuration. Each setting is declared once: from the declaration come the struct's
/// field, its reading, the list of known names, the documentation's table and the example file.
///
/// With `for Type` the section fills in a struct that is defined elsewhere.
macro_rules! section {
    (
        $title:literal
        $(#[doc = $struct_doc:literal])+
        pub struct $section:ident { $(
            $(#[doc = $doc:literal])+
            $field:ident: $type:ty = $setting:expr;
        )+ }
    ) => {
        $(#[doc = $struct_doc])+
        #[derive(Clone, Debug)]
        pub struct $section { $(
            $(#[doc = $doc])+
            pub $field: $type,
        )+ }

        $crate::config::section::section! {
            $title for $section { $( $(#[doc = $doc])+ $field: $type = $setting; )+ }
        }
    };
    (
        $title:literal for $section:path { $(
            $(#[doc = $doc:literal])+
            $field:ident: $type:ty = $setting:expr;
        )+ }
    ) => {
        impl $crate::config::section::Section for $section {
            const DOC: $crate::config::section::SectionDoc = $crate::config::section::SectionDoc {
                title: $title,
                settings: &[$( $setting.describe::<$type>(concat!($($doc),+)), )+],
            };

            fn read(values: &mut $crate::config::values::Values) -> Option<Self> {
                // Every setting is read before the first `?`, so that all problems are reported at once.
                $( let $field = values.read::<$type>(&$setting); )+
                Some(Self { $( $field: $field?, )+ })
            }
        }
    };
}

pub(crate) use section;
