//! A file that was uploaded for a job.

/// A file that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadedFile {
    /// Its place among the files of the job, from 1 to 100.
    pub ordinal: i16,
    /// Its number among all files.
    pub file: i64,
    /// Its size.
    pub bytes: i64,
}
